"""The topic table: every MQTT topic there is, what travels on it, and who writes and reads it."""

from dataclasses import dataclass
from typing import Literal

from edge.contracts import wire
from edge.contracts.base import ContractError, Message, StrictMessage

PAYLOAD_LIMIT = 256 * 1024
"""Bytes of the largest payload any reader takes; a larger one is counted and dropped."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One row: `pattern` with {name} holes; `rate` is the highest sensible messages/s."""

    pattern: str
    broker: Literal["room", "site"]
    type: type[Message] | type[StrictMessage]
    qos: Literal[0, 1]
    retain: bool
    rate: float
    writer: str
    reader: str

    def name(self, **holes: str) -> str:
        """Return the topic with its holes filled; raise ContractError on a wildcard or slash."""
        for hole, text in holes.items():
            if not text or any(c in text for c in "+#/\0") or len(text) > 128:
                raise ContractError(
                    f"{hole} {text!r} cannot stand in a topic: 1 to 128 characters, no + # /"
                )
        return self.pattern.format(**holes)

    def filter(self, **holes: str) -> str:
        """Return the subscription filter: holes not given become `+`."""
        parts = []
        for part in self.pattern.split("/"):
            hole = part[1:-1] if part.startswith("{") else None
            parts.append(part if hole is None else holes.get(hole, "+"))
        return "/".join(parts)


NODE = Topic(
    "roomkeeper/{room}/node/{node}", "room", wire.NodeMessage, 0, False, 10, "sensor board", "edge"
)
DEVICE = Topic("zigbee2mqtt/{device}", "room", wire.DeviceMessage, 0, True, 10, "device", "edge")
DEVICE_SET = Topic(
    "zigbee2mqtt/{device}/set", "room", wire.DeviceMessage, 1, False, 10, "edge", "device"
)
HOME = Topic(
    "roomkeeper/{room}/home/state", "room", wire.HomeMessage, 1, True, 1, "edge", "Home Assistant"
)
EVENTS = Topic(
    "roomkeeper/{room}/events", "site", wire.EventMessage, 1, False, 500, "edge", "ingest"
)
WANTED = Topic("roomkeeper/{room}/wanted", "site", wire.WantedMessage, 1, True, 1, "edge", "ingest")
PRESENCE = Topic(
    "roomkeeper/{room}/presence", "site", wire.PresenceMessage, 1, True, 1, "edge", "ingest"
)
ACK = Topic("roomkeeper/{room}/ack", "site", wire.AckMessage, 1, True, 50, "ingest", "edge")
MACHINES = Topic(
    "roomkeeper/{room}/machines", "site", wire.MachinesMessage, 1, True, 10, "reconciler", "edge"
)

TOPICS: tuple[Topic, ...] = (
    NODE,
    DEVICE,
    DEVICE_SET,
    HOME,
    EVENTS,
    WANTED,
    PRESENCE,
    ACK,
    MACHINES,
)
