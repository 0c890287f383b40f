"""Devices that are not on the room's broker: from their tables to their drivers.

A library is imported only by a room that has such a device.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from edge.actuators.bacnet.points import Point
from edge.actuators.cec import CecPort, CecSettings
from edge.actuators.devices import DeviceDriver
from edge.actuators.driver import Driver
from edge.actuators.follower import Follower
from edge.actuators.late import Late, LatePort
from edge.actuators.mixer.alsa import AlsaBackend
from edge.actuators.mixer.port import Backend, MixerPort
from edge.actuators.mixer.pulse import PulseBackend
from edge.actuators.port import Port
from edge.actuators.visca.camera import CameraPort, CameraSettings
from edge.actuators.visca.link import PORT as UDP_PORT
from edge.actuators.visca.link import CameraLink, UdpLink
from edge.actuators.visca.tcp import PORT as TCP_PORT
from edge.actuators.visca.tcp import TcpLink
from edge.config import RoomConfig
from edge.config_devices import BacnetDeviceSection, ViscaSection
from edge.config_schema import ActuatorSection
from edge.contracts.signals import Signal

if TYPE_CHECKING:
    from edge.actuators.bacnet.stack import BacnetStack

Post = Callable[[Signal], None]
Wall = Callable[[], float]


def visca(config: RoomConfig, post: Post, wall: Wall) -> Driver | None:
    """Return the driver of the room's PTZ cameras, None when there are none."""
    followers = []
    for camera in config.visca:
        rows = _rows(config, "visca", camera.name)
        parts = {row.part: row.name for row in rows}
        if not parts:
            continue
        settings = CameraSettings(
            camera.presets, parts.get("preset", ""), parts.get("shutter", ""),
            camera.privacy, camera.poll_s,
        )  # fmt: skip
        name, port = f"driver:visca:{camera.name}", CameraPort(camera_link(camera), settings)
        followers.append(Follower(name, camera.name, _names(rows), port, post, wall=wall))
    return DeviceDriver("driver:visca", followers) if followers else None


def bacnet(config: RoomConfig, post: Post, wall: Wall) -> Driver | None:
    """Return the driver of the building's controllers, None when the room moves none."""
    section = config.bacnet
    used = [device for device in section.devices if _rows(config, "bacnet", device.name)]
    if not used:
        return None
    stack = Late(lambda: bacnet_stack(config))
    followers = [_controller(config, device, stack, post, wall) for device in used]
    return DeviceDriver("driver:bacnet", followers, stack)


def _controller(
    config: RoomConfig,
    device: BacnetDeviceSection,
    stack: "Late[BacnetStack]",
    post: Post,
    wall: Wall,
) -> Follower:
    rows = _rows(config, "bacnet", device.name)
    section = config.bacnet

    def build() -> Port:
        from edge.actuators.bacnet.device import BacnetPort  # noqa: PLC0415 - takes a while

        port = BacnetPort(
            stack.get(), [Point.parse(row.name, row.part, row.values) for row in rows],
            section.priority, section.poll_s, device.address, device.instance,
        )  # fmt: skip
        port.changed = follower.poke
        return port

    late = LatePort(build, section.poll_s)
    name = f"driver:bacnet:{device.name}"
    follower = Follower(name, device.name, _names(rows), late, post, wall=wall)
    return follower


def bacnet_stack(config: RoomConfig, *, own_port: bool = True) -> "BacnetStack":
    """Return the stack all devices share, not yet started.

    own_port: as the room's process; else beside it, on any free port and without broadcasts.
    """
    from edge.actuators.bacnet.stack import BacnetStack, StackSettings  # noqa: PLC0415

    address = config.bacnet.address
    if not own_port:
        address = f"{address.partition(':')[0].partition('/')[0]}/32:0"
    return BacnetStack(StackSettings(address, config.bacnet.instance))


def mixer(config: RoomConfig, post: Post, wall: Wall) -> Driver | None:
    """Return the driver of the room's microphones, None when none is to be set."""
    followers = []
    for device in dict.fromkeys(row.device for row in _rows(config, "mixer")):
        rows = _rows(config, "mixer", device)
        parts = {row.part: row.name for row in rows}
        port = MixerPort(
            mixer_backend(config, device), parts.get("gain", ""), parts.get("mute", ""),
            config.mixer.poll_s,
        )  # fmt: skip
        follower = Follower(f"driver:mixer:{device}", device, _names(rows), port, post, wall=wall)
        port.changed = follower.poke
        followers.append(follower)
    return DeviceDriver("driver:mixer", followers) if followers else None


def cec(config: RoomConfig, post: Post, wall: Wall) -> Driver | None:
    """Return the driver of the room's display on HDMI, None when it moves none."""
    rows = _rows(config, "cec")
    if not rows:
        return None
    parts = {row.part: row.name for row in rows}
    section, device = config.cec, rows[0].device
    port = CecPort(
        CecSettings(
            section.adapter, section.inputs, parts.get("power", ""), parts.get("input", ""),
            section.poll_s,
        )
    )  # fmt: skip
    follower = Follower(f"driver:cec:{device}", device, _names(rows), port, post, wall=wall)
    return DeviceDriver("driver:cec", [follower])


def mixer_backend(config: RoomConfig, device: str) -> Backend:
    """Return the sound system's source `device` as [mixer] says."""
    if config.mixer.backend == "alsa":
        return AlsaBackend(device, config.mixer.control)
    return PulseBackend(device, config.mixer.server)


def camera_link(camera: ViscaSection) -> CameraLink:
    """Return the way to a camera as its table says."""
    if camera.transport == "udp":
        return UdpLink(camera.host, camera.port or UDP_PORT)
    return TcpLink(camera.host, camera.port or TCP_PORT)


def _rows(config: RoomConfig, driver: str, device: str = "") -> list[ActuatorSection]:
    return [a for a in config.actuators if a.driver == driver and device in ("", a.device)]


def _names(rows: list[ActuatorSection]) -> tuple[str, ...]:
    return tuple(row.name for row in rows)
