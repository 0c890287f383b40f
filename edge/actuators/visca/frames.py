"""VISCA's bytes, and the header that carries them over UDP. Pure.

A message is a device's address, up to 14 bytes and FF. Over UDP, Sony's header stands before it:
type (2 bytes), length of the message (2), sequence number (4), big-endian.
"""

import struct
from dataclasses import dataclass
from typing import Literal

COMMAND = 0x0100
INQUIRY = 0x0110
REPLY = 0x0111
CONTROL = 0x0200
CONTROL_REPLY = 0x0201
RESET = b"\x01"
SEQUENCE_WRONG = b"\x0f\x01"
TYPE_WRONG = b"\x0f\x02"

HEADER = struct.Struct(">HHI")
MESSAGE_LIMIT = 16
END = 0xFF

RECALL = b"\x81\x01\x04\x3f\x02%c\xff"
POWER_ON = b"\x81\x01\x04\x00\x02\xff"
STANDBY = b"\x81\x01\x04\x00\x03\xff"
ASK_POWER = b"\x81\x09\x04\x00\xff"
ASK_PRESET = b"\x81\x09\x04\x3f\xff"

Kind = Literal["ack", "done", "answer", "refused"]

REFUSALS = {
    0x01: "message length",
    0x02: "it does not know this command (syntax error)",
    0x03: "its command buffer is full",
    0x04: "the command was cancelled",
    0x05: "no such socket",
    0x41: "it cannot do this now (not executable)",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What a camera said. socket: which of its two command buffers; code: of a refusal."""

    kind: Kind
    socket: int = 0
    data: bytes = b""
    code: int = 0

    @property
    def reason(self) -> str:
        """A refusal in words."""
        return REFUSALS.get(self.code, f"error {self.code:#04x}")


def recall(preset: int) -> bytes:
    """Return the command that moves the camera to a stored preset (0 to 127)."""
    return RECALL % preset


def pack(kind: int, sequence: int, message: bytes) -> bytes:
    """Return a message with its header."""
    return HEADER.pack(kind, len(message), sequence) + message


def unpack(packet: bytes) -> tuple[int, int, bytes] | None:
    """Return (type, sequence, message) of a packet, None when it is none of ours."""
    if len(packet) < HEADER.size + 1:
        return None
    kind, length, sequence = HEADER.unpack_from(packet)
    message = packet[HEADER.size :]
    if length != len(message) or length > MESSAGE_LIMIT:
        return None
    return kind, sequence, message


def parse(message: bytes) -> Reply | None:
    """Return what a camera's message says, None when it is no reply."""
    if not 3 <= len(message) <= MESSAGE_LIMIT or message[-1] != END or END in message[:-1]:
        return None
    if not 0x90 <= message[0] <= 0xF0 or message[0] & 0x0F:
        return None
    kind, socket, data = message[1] >> 4, message[1] & 0x0F, message[2:-1]
    if kind == 4 and not data:
        return Reply("ack", socket)
    if kind == 5:
        return Reply("answer", socket, data) if data else Reply("done", socket)
    if kind == 6 and len(data) == 1:
        return Reply("refused", socket, code=data[0])
    return None


class Stream:
    """Cuts a byte stream (TCP) into messages; what is longer than a message is thrown away."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the messages that `data` completes."""
        *whole, rest = (self._rest + data).split(b"\xff")
        self._rest = rest[-MESSAGE_LIMIT:]
        return [part + b"\xff" for part in whole if len(part) < MESSAGE_LIMIT]
