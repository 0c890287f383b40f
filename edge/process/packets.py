"""Messages of MQTT 5 that ask for no answer, read straight from the buffer they arrived in.

They are nearly all that a busy room hears, and paho takes ten times as long for one. Everything
else (and whatever is not whole, or not as it should be) is left to paho.
"""

from typing import NamedTuple

PUBLISH = 0x30
"""First byte of a message at QoS 0 that was not sent before; its lowest bit says retained."""
RETAINED = 0x01
MORE = 0x80
"""Bit of a length's byte that says that it goes on in the next one."""


class Message(NamedTuple):
    """What a broker handed on."""

    topic: str
    payload: bytes
    retained: bool


def read_message(data: bytes, at: int) -> tuple[Message, int] | None:
    """Return the message that begins at `at` and where it ends; None when paho should read it."""
    if at + 4 > len(data) or data[at] & ~RETAINED != PUBLISH:
        return None
    size, place = data[at + 1], at + 2
    if size & MORE:
        size, place = _length(data, at + 1)
    end = place + size
    if size < 3 or end > len(data):
        return None
    topic_at = place + 2
    topic_end = topic_at + (data[place] << 8 | data[place + 1])
    # Without a name it would be an alias, which we never allowed.
    if topic_end == topic_at or topic_end >= end:
        return None
    payload_at = topic_end + 1
    if data[topic_end]:
        properties, payload_at = _length(data, topic_end)
        payload_at += properties
        if payload_at > end:
            return None
    try:
        topic = data[topic_at:topic_end].decode()
    except UnicodeDecodeError:
        return None
    return Message(topic, data[payload_at:end], bool(data[at] & RETAINED)), end


def _length(data: bytes, at: int) -> tuple[int, int]:
    """Return a length of up to four bytes and where it ends; one that does not is beyond `data`."""
    size = data[at]
    if not size & MORE:
        return size, at + 1
    size &= ~MORE
    for place in range(1, 4):
        if at + place >= len(data):
            break
        byte = data[at + place]
        size |= (byte & ~MORE) << (7 * place)
        if not byte & MORE:
            return size, at + place + 1
    return len(data) + 1, at + 1


def publish_packet(
    mid: int, topic: bytes, payload: bytes | bytearray, qos: int, retain: bool, dup: bool
) -> bytes:
    """Return a message as it goes to a broker, without properties. mid counts where qos does."""
    named = len(topic).to_bytes(2, "big") + topic + (mid.to_bytes(2, "big") if qos else b"") + b"\0"
    size, length = len(named) + len(payload), bytearray()
    while size >= MORE:
        length.append(size & ~MORE & 0xFF | MORE)
        size >>= 7
    length.append(size)
    first = PUBLISH | dup << 3 | qos << 1 | retain
    return bytes((first, *length)) + named + payload
