"""A PTZ camera that speaks VISCA over UDP (Sony's header, numbers, two command buffers) and TCP.

    python -m tests.world.ptz --udp 52381 --tcp 5678 --loss 0.2 --double 0.2 --move-s 0.3

It loses and doubles datagrams both ways by a seeded chance, moves for a while before it says it is
done, refuses what cannot be done in standby, and forgets everything when it is started again.
"""

import argparse
import random
import selectors
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field

HEADER = struct.Struct(">HHI")
Send = Callable[[bytes], None]


@dataclass
class Camera:
    """The camera itself: power, the preset it was last sent to, the moves under way."""

    move_s: float
    wake_s: float
    memory: bool
    on: bool = True
    preset: int = 0
    wakes_at: float = 0.0
    moves: dict[int, tuple[float, int, Send]] = field(default_factory=dict)

    def command(self, message: bytes, send: Send) -> None:
        now = time.monotonic()
        free = next((n for n in (1, 2) if n not in self.moves), 0)
        match message[1:-1]:
            case b"\x01\x04\x00\x02":
                send(b"\x90\x41\xff")
                self.wakes_at = now + self.wake_s
                send(b"\x90\x51\xff")
            case b"\x01\x04\x00\x03":
                send(b"\x90\x41\xff")
                self.on, self.wakes_at = False, 0.0
                self.moves.clear()
                send(b"\x90\x51\xff")
            case recall if recall.startswith(b"\x01\x04\x3f\x02") and len(recall) == 5:
                if not self.on:
                    send(b"\x90\x61\x41\xff")
                elif not free:
                    send(b"\x90\x60\x03\xff")
                else:
                    send(bytes([0x90, 0x40 | free, 0xFF]))
                    self.moves[free] = (now + self.move_s, recall[4], send)
            case _:
                send(b"\x90\x60\x02\xff")

    def inquiry(self, message: bytes, send: Send) -> None:
        match message[1:-1]:
            case b"\x09\x04\x00":
                send(b"\x90\x50" + (b"\x02" if self.on else b"\x03") + b"\xff")
            case b"\x09\x04\x3f" if self.memory:
                send(bytes([0x90, 0x50, self.preset, 0xFF]) if self.on else b"\x90\x60\x41\xff")
            case _:
                send(b"\x90\x60\x02\xff")

    def tick(self) -> None:
        now = time.monotonic()
        if self.wakes_at and now >= self.wakes_at:
            self.on, self.wakes_at = True, 0.0
        for number, (at, preset, send) in list(self.moves.items()):
            if now >= at:
                self.preset = preset
                del self.moves[number]
                send(bytes([0x90, 0x50 | number, 0xFF]))


class Udp:
    """Sony's header: a number that was seen is refused, a reset begins anew. One count a peer."""

    def __init__(self, camera: Camera, port: int, loss: float, double: float, seed: int) -> None:
        self.camera = camera
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", port))
        self.loss, self.double, self.chance = loss, double, random.Random(seed)
        self.seen: dict[tuple[str, int], int] = {}

    def ready(self) -> None:
        packet, peer = self.socket.recvfrom(2048)
        for _ in range(self._copies()):
            self._take(packet, peer)

    def _copies(self) -> int:
        if self.chance.random() < self.loss:
            return 0
        return 2 if self.chance.random() < self.double else 1

    def _say(self, kind: int, number: int, message: bytes, peer: tuple[str, int]) -> None:
        for _ in range(self._copies()):
            self.socket.sendto(HEADER.pack(kind, len(message), number) + message, peer)

    def _take(self, packet: bytes, peer: tuple[str, int]) -> None:
        if len(packet) < 9:
            return
        kind, _length, number = HEADER.unpack_from(packet)
        message = packet[8:]
        if kind == 0x0200 and message == b"\x01":
            self.seen[peer] = 0
            self._say(0x0201, number, b"\x01", peer)
        elif kind not in (0x0100, 0x0110):
            self._say(0x0201, number, b"\x0f\x02", peer)
        elif number <= self.seen.get(peer, 0) or peer not in self.seen:
            self._say(0x0201, number, b"\x0f\x01", peer)
        else:
            self.seen[peer] = number
            take = self.camera.command if kind == 0x0100 else self.camera.inquiry
            take(message, lambda reply: self._say(0x0111, number, reply, peer))


class Tcp:
    """Bare messages, each ended by FF."""

    def __init__(self, camera: Camera, port: int, selector: selectors.BaseSelector) -> None:
        self.camera, self.selector = camera, selector
        self.socket = socket.create_server(("127.0.0.1", port))

    def ready(self) -> None:
        peer, _ = self.socket.accept()
        rest = bytearray()

        def say(reply: bytes) -> None:
            # In two pieces: a stream has no borders.
            try:
                peer.sendall(reply[:1])
                peer.sendall(reply[1:])
            except OSError:
                return

        def talk() -> None:
            try:
                data = peer.recv(2048)
            except OSError:
                data = b""
            if not data:
                self.selector.unregister(peer)
                peer.close()
                return
            rest.extend(data)
            while 0xFF in rest:
                end = rest.index(0xFF) + 1
                message = bytes(rest[:end])
                del rest[:end]
                take = self.camera.inquiry if message[1:2] == b"\x09" else self.camera.command
                take(message, say)

        self.selector.register(peer, selectors.EVENT_READ, talk)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--udp", type=int, default=0)
    parser.add_argument("--tcp", type=int, default=0)
    parser.add_argument("--loss", type=float, default=0.0)
    parser.add_argument("--double", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--move-s", type=float, default=0.1)
    parser.add_argument("--wake-s", type=float, default=0.1)
    parser.add_argument("--no-memory", action="store_true", help="cannot be asked for its preset")
    options = parser.parse_args()
    camera = Camera(options.move_s, options.wake_s, not options.no_memory)
    selector = selectors.DefaultSelector()
    if options.udp:
        udp = Udp(camera, options.udp, options.loss, options.double, options.seed)
        selector.register(udp.socket, selectors.EVENT_READ, udp.ready)
    if options.tcp:
        tcp = Tcp(camera, options.tcp, selector)
        selector.register(tcp.socket, selectors.EVENT_READ, tcp.ready)
    while True:
        for key, _ in selector.select(0.01):
            key.data()
        camera.tick()


if __name__ == "__main__":
    main()
