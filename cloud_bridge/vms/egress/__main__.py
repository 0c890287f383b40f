"""One guest's network: `python -m cloud_bridge.vms.egress SOCKET PORT GUEST_PORT HOST:PORT...`.

Says "ready" and goes on in the background; ends with the guest, or when none comes in time. It
stands on the standard library alone: there is one for each such guest.
"""

import os
import select
import socket
import struct
import sys
from pathlib import Path

from cloud_bridge.vms.egress import endpoints
from cloud_bridge.vms.egress.relay import Relays
from cloud_bridge.vms.egress.slirp import FRAME_MAX, Slirp, SlirpError

FIRST_GUEST_S = 120.0
BACKLOG_MAX = 1 << 20
"""Bytes kept for a guest that does not read; frames beyond are dropped, as on any wire."""
READABLE = select.POLLIN | select.POLLHUP | select.POLLERR


class Wire:
    """QEMU's end: frames behind a length of four bytes, as `-netdev stream` speaks them."""

    def __init__(self) -> None:
        self._in = bytearray()
        self._out = bytearray()

    def send(self, frame: bytes) -> None:
        """Keep the frame until it can be written."""
        if len(self._out) + len(frame) <= BACKLOG_MAX:
            self._out += struct.pack(">I", len(frame)) + frame

    def events(self) -> int:
        """Return what to poll for."""
        return select.POLLIN | (select.POLLOUT if self._out else 0)

    def flush(self, peer: socket.socket) -> None:
        """Write what can be written; raises OSError when the guest is gone."""
        while self._out:
            try:
                sent = peer.send(self._out)
            except BlockingIOError:
                return
            del self._out[:sent]

    def frames(self, peer: socket.socket) -> list[bytes]:
        """Return what arrived; raises OSError when the guest is gone or talks nonsense."""
        try:
            data = peer.recv(1 << 18)
        except BlockingIOError:
            return []
        if not data:
            raise ConnectionResetError("the guest ended")
        self._in += data
        found = []
        while len(self._in) >= 4:
            (length,) = struct.unpack_from(">I", self._in)
            if length > FRAME_MAX:
                raise ConnectionAbortedError(f"a frame of {length} bytes")
            if len(self._in) < 4 + length:
                break
            found.append(bytes(self._in[4 : 4 + length]))
            del self._in[: 4 + length]
        return found


def serve(listener: socket.socket, slirp: Slirp, wire: Wire) -> None:
    """Wait for QEMU, then carry frames until it ends."""
    listener.settimeout(FIRST_GUEST_S)
    peer, _ = listener.accept()
    listener.close()
    peer.setblocking(False)
    while True:
        happened = slirp.turn({peer.fileno(): wire.events()}).get(peer.fileno(), 0)
        if happened & READABLE:
            for frame in wire.frames(peer):
                slirp.take(frame)
        wire.flush(peer)


def main(arguments: list[str]) -> None:
    """Serve one guest."""
    place, port, guest_port = Path(arguments[0]), int(arguments[1]), int(arguments[2])
    wire = Wire()
    listener = socket.socket(socket.AF_UNIX)
    try:
        slirp = Slirp(wire.send)
        slirp.forward(port, guest_port)
        served = []
        for number, endpoint in enumerate(endpoints(arguments[3:])):
            path = place.with_name(f"e{number}")
            slirp.expose(endpoint.inside, endpoint.port, str(path))
            served.append((endpoint, path))
        listener.bind(str(place))
        listener.listen(1)
    except (SlirpError, OSError) as error:
        sys.exit(str(error))
    place.chmod(0o666)  # QEMU may run as somebody else; who does not know the name cannot come.
    _leave()
    Relays(served).start()
    try:
        serve(listener, slirp, wire)
    except OSError:
        slirp.close()
    finally:
        for path in (*(path for _, path in served), place):
            path.unlink(missing_ok=True)


def _leave() -> None:
    """Go on in the background, nobody's child: machines outlive the reconciler, and so do we."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    if os.fork():
        os._exit(0)
    os.setsid()
    os.chdir("/")
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nothing, standard)


if __name__ == "__main__":
    main(sys.argv[1:])
