"""The doctor's look at devices that are not on the room's broker."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from edge.actuators.bacnet.points import Point
from edge.actuators.cec import CecPort, CecSettings
from edge.actuators.errors import ActuatorError, DeviceRefusedError
from edge.actuators.mixer.port import Levels
from edge.actuators.visca import frames
from edge.config import RoomConfig
from edge.config_devices import BacnetDeviceSection
from edge.config_schema import ActuatorSection
from edge.device_drivers import bacnet_stack, camera_link, mixer_backend
from edge.findings import Finding

if TYPE_CHECKING:
    from edge.actuators.bacnet.stack import BacnetStack


def devices(config: RoomConfig) -> Iterator[Finding]:
    """Every device of the room's own tables can be reached and does what its actuators need."""
    yield from _cameras(config)
    yield from _microphones(config)
    yield from _controllers(config)
    yield from _display(config)


def _cameras(config: RoomConfig) -> Iterator[Finding]:
    for camera in config.visca:
        if not _used(config, "visca", camera.name):
            continue
        link = camera_link(camera)
        title = f"PTZ camera {camera.name}"
        try:
            link.open()
            power = link.ask(frames.ASK_POWER)
        except ActuatorError as error:
            advice = "check host, port and transport in [[visca]], and the camera's network menu"
            yield Finding(title, False, str(error), advice)
        else:
            yield Finding(title, True, "on" if power == b"\x02" else "in standby")
        finally:
            link.close()


def _microphones(config: RoomConfig) -> Iterator[Finding]:
    for device in dict.fromkeys(a.device for a in config.actuators if a.driver == "mixer"):
        backend = mixer_backend(config, device)
        title = f"mixer {device}"
        try:
            backend.open(lambda: None)
            levels = backend.levels()
        except ActuatorError as error:
            advice = "name another device for its actuators, or correct [mixer]"
            yield Finding(title, False, str(error), advice)
        else:
            parts = {a.part for a in config.actuators if (a.driver, a.device) == ("mixer", device)}
            yield _levels(title, parts, levels)
        finally:
            backend.close()


def _controllers(config: RoomConfig) -> Iterator[Finding]:
    used = [d for d in config.bacnet.devices if _used(config, "bacnet", d.name)]
    if not used:
        return
    # A device that is only known by its number answers to broadcasts alone, on the usual port.
    stack = bacnet_stack(config, own_port=any(not device.address for device in used))
    stack.start()
    try:
        for device in used:
            for row in _used(config, "bacnet", device.name):
                yield _point(stack, device, row)
    finally:
        stack.stop()


def _point(stack: "BacnetStack", device: BacnetDeviceSection, row: ActuatorSection) -> Finding:
    title = f"BACnet {device.name} {row.part}"
    point = Point.parse(row.name, row.part, row.values)
    try:
        peer = stack.locate(device.address, device.instance)
        present = stack.read(peer, point)
        slots = stack.read(peer, point, "priority-array[0]")
    except DeviceRefusedError as error:
        advice = "correct part: the object must be there and have a priority array"
        return Finding(title, False, str(error), advice)
    except ActuatorError as error:
        advice = "check [bacnet] address, and the device's address or instance"
        if "already in use" in str(error):
            advice = "the room itself holds the port: stop it to look, or ask its /healthz"
        return Finding(title, False, str(error), advice)
    return Finding(title, True, f"is {str(present)[:32]}, takes {slots} priorities")


def _levels(title: str, parts: set[str], levels: Levels) -> Finding:
    if "gain" in parts and levels.gain is None:
        return Finding(title, False, "has no gain that can be set", "take its gain out")
    if "mute" in parts and levels.muted is None:
        return Finding(title, False, "cannot be muted", "take its mute out")
    gain = "" if levels.gain is None else f"gain {levels.gain:.0f} %"
    return Finding(title, True, f"{gain}{', muted' if levels.muted else ''}")


def _display(config: RoomConfig) -> Iterator[Finding]:
    if not any(actuator.driver == "cec" for actuator in config.actuators):
        return
    title = f"display ({config.cec.adapter})"
    port = CecPort(CecSettings(config.cec.adapter, config.cec.inputs, power="power"))
    try:
        port.open()
        power = port.read().get("power", "on its way on or off")
    except ActuatorError as error:
        advice = "use an HDMI output with CEC, switch CEC on in the display's menu, correct [cec]"
        yield Finding(title, False, str(error), advice)
    else:
        yield Finding(title, True, f"is {power}")


def _used(config: RoomConfig, driver: str, device: str) -> list[ActuatorSection]:
    return [a for a in config.actuators if a.driver == driver and a.device == device]
