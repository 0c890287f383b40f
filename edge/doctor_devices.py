"""The doctor's look at devices that are not on the room's broker."""

from collections.abc import Iterator

from edge.actuators.errors import ActuatorError
from edge.actuators.visca import frames
from edge.config import RoomConfig
from edge.config_schema import ActuatorSection
from edge.device_drivers import camera_link
from edge.findings import Finding


def devices(config: RoomConfig) -> Iterator[Finding]:
    """Every device of the room's own tables can be reached and does what its actuators need."""
    yield from _cameras(config)


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


def _used(config: RoomConfig, driver: str, device: str) -> list[ActuatorSection]:
    return [a for a in config.actuators if a.driver == driver and a.device == device]
