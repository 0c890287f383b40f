"""How devices on the room's broker are spoken to: one file per dialect, one interface for all."""

from edge.actuators.dialects.channel import Channel, Dialect, DialectError, Heard, Said, Wiring
from edge.actuators.dialects.homeassistant import HomeAssistant
from edge.actuators.dialects.tasmota import Tasmota
from edge.actuators.dialects.zigbee2mqtt import Zigbee2Mqtt

__all__ = ["Channel", "Dialect", "DialectError", "Heard", "Said", "Wiring", "channel"]


def channel(wiring: Wiring) -> Channel:
    """Return the way to a device; raise ContractError when its dialect has no such way."""
    match wiring.dialect:
        case "zigbee2mqtt":
            return Zigbee2Mqtt(wiring)
        case "tasmota":
            return Tasmota(wiring)
        case "homeassistant":
            return HomeAssistant(wiring)
