"""Messages are read from the buffer as they are, and nothing but whole, plain ones."""

import random

import pytest

from edge.process.packets import Message, read_message


def length(size):
    out = bytearray()
    while True:
        size, byte = size >> 7, size & 0x7F
        out.append(byte | (0x80 if size else 0))
        if not size:
            return bytes(out)


def packet(topic=b"a/b", payload=b"x", first=0x30, properties=b""):
    body = len(topic).to_bytes(2, "big") + topic + length(len(properties)) + properties + payload
    return bytes([first]) + length(len(body)) + body


@pytest.mark.parametrize("size", [0, 1, 120, 121, 127, 128, 16_000, 16_384, 2_097_200])
def test_a_message_of_any_length_is_read_and_the_next_one_behind_it(size):
    payload = bytes(n % 251 for n in range(size))
    data = b"before" + packet(payload=payload) + packet(b"next", b"y")
    message, end = read_message(data, 6)
    assert message == Message("a/b", payload, False)
    assert read_message(data, end) == (Message("next", b"y", False), len(data))


def test_what_is_retained_says_so_and_properties_are_passed_over():
    said = packet("räume/1".encode(), b"{}", 0x31, b"\x01\x01" * 100)
    assert read_message(said, 0) == (Message("räume/1", b"{}", True), len(said))


@pytest.mark.parametrize("first", [0x32, 0x34, 0x36, 0x38, 0x20, 0x40, 0x90, 0xD0, 0xE0, 0x00])
def test_what_asks_for_an_answer_or_is_another_packet_is_left(first):
    assert read_message(packet(first=first), 0) is None


def test_a_message_that_is_not_whole_yet_is_left():
    said = packet(payload=b"z" * 300, properties=b"\x01\x01" * 70)
    assert read_message(said, 0) is not None
    assert [read_message(said[:cut], 0) for cut in range(len(said))] == [None] * len(said)


@pytest.mark.parametrize(
    "said",
    [
        packet(topic=b""),
        packet(topic=b"\xff\xfe"),
        b"\x30\x02\x00\x01",
        b"\x30\x03\x00\x01a",
        b"\x30\x04\x00\x09a\x00",
        b"\x30\x05\x00\x01a\x09x",
        b"\x30\xff\xff\xff\xff\xff\xff",
        b"\x30\x08\x00\x01a\xff\xff\xff\xff\xff",
    ],
)
def test_what_is_no_proper_message_is_left(said):
    assert read_message(said, 0) is None


def test_chance_bytes_never_raise_nor_reach_beyond_what_is_there():
    chance = random.Random(7)
    for _ in range(20_000):
        data = b"\x30" + chance.randbytes(chance.randrange(12))
        found = read_message(data, 0)
        assert found is None or found[1] <= len(data)
