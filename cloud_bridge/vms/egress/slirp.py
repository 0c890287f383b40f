"""libslirp as QEMU uses it, without QEMU: a shut-in user network that speaks Ethernet frames."""

import ctypes
import select
import time
from collections.abc import Callable
from socket import inet_aton
from typing import Any, Final

from cloud_bridge.vms.egress import GATEWAY, GUEST, NAMESERVER, NETWORK

LIBRARY = "libslirp.so.0"
FRAME_MAX = 65536
ROUND_MS = 1000
# libslirp's own names of poll's events, and poll's.
EVENTS: Final = (
    (1, select.POLLIN),
    (2, select.POLLOUT),
    (4, select.POLLPRI),
    (8, select.POLLERR),
    (16, select.POLLHUP),
)


class SlirpError(Exception):
    """The network cannot be had; the text says why and what to do."""


class _Address(ctypes.Structure):
    _fields_ = (("number", ctypes.c_uint32),)


class _Address6(ctypes.Structure):
    _fields_ = (("bytes", ctypes.c_uint8 * 16),)


class _Config(ctypes.Structure):
    """Version 1 of SlirpConfig, which later libraries still read."""

    _fields_ = (
        ("version", ctypes.c_uint32),
        ("restricted", ctypes.c_int),
        ("in_enabled", ctypes.c_bool),
        ("vnetwork", _Address),
        ("vnetmask", _Address),
        ("vhost", _Address),
        ("in6_enabled", ctypes.c_bool),
        ("vprefix_addr6", _Address6),
        ("vprefix_len", ctypes.c_uint8),
        ("vhost6", _Address6),
        ("vhostname", ctypes.c_char_p),
        ("tftp_server_name", ctypes.c_char_p),
        ("tftp_path", ctypes.c_char_p),
        ("bootfile", ctypes.c_char_p),
        ("vdhcp_start", _Address),
        ("vnameserver", _Address),
        ("vnameserver6", _Address6),
        ("vdnssearch", ctypes.c_void_p),
        ("vdomainname", ctypes.c_char_p),
        ("if_mtu", ctypes.c_size_t),
        ("if_mru", ctypes.c_size_t),
        ("disable_host_loopback", ctypes.c_bool),
        ("enable_emu", ctypes.c_bool),
    )


_P = ctypes.c_void_p
_SEND = ctypes.CFUNCTYPE(ctypes.c_ssize_t, _P, ctypes.c_size_t, _P)
_ERROR = ctypes.CFUNCTYPE(None, ctypes.c_char_p, _P)
_CLOCK = ctypes.CFUNCTYPE(ctypes.c_int64, _P)
_TIMER_NEW = ctypes.CFUNCTYPE(_P, _P, _P, _P)
_TIMER_FREE = ctypes.CFUNCTYPE(None, _P, _P)
_TIMER_MOD = ctypes.CFUNCTYPE(None, _P, ctypes.c_int64, _P)
_FD = ctypes.CFUNCTYPE(None, ctypes.c_int, _P)
_NOTIFY = ctypes.CFUNCTYPE(None, _P)
_ADD_POLL = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_int, _P)
_REVENTS = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, _P)


class _Callbacks(ctypes.Structure):
    _fields_ = (
        ("send_packet", _SEND),
        ("guest_error", _ERROR),
        ("clock_get_ns", _CLOCK),
        ("timer_new", _TIMER_NEW),
        ("timer_free", _TIMER_FREE),
        ("timer_mod", _TIMER_MOD),
        ("register_poll_fd", _FD),
        ("unregister_poll_fd", _FD),
        ("notify", _NOTIFY),
    )


def _address(text: str) -> _Address:
    return _Address.from_buffer_copy(inet_aton(text))


class Slirp:
    """One guest's network. `send(frame)` is called with each frame for the guest. Not thread-safe.

    Everything is refused but what is added with `forward` and `expose`.
    """

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._library = _load()
        self._polled: list[tuple[int, int]] = []
        self._answers: list[int] = []
        self._callbacks = self._made(send)
        # Timers serve IPv6 announcements alone, and there is no IPv6.
        self._add_poll = _ADD_POLL(self._remember)
        self._revents = _REVENTS(lambda index, _: self._answers[index])
        config = _Config(
            version=1,
            restricted=1,
            in_enabled=True,
            vnetwork=_address(NETWORK),
            vnetmask=_address("255.255.255.0"),
            vhost=_address(GATEWAY),
            vdhcp_start=_address(GUEST),
            vnameserver=_address(NAMESERVER),
            disable_host_loopback=True,
        )
        self._slirp = self._library.slirp_new(
            ctypes.byref(config), ctypes.byref(self._callbacks), None
        )
        if not self._slirp:
            raise SlirpError(f"{LIBRARY} refuses this network: another version is needed")

    @staticmethod
    def _made(send: Callable[[bytes], None]) -> _Callbacks:
        def give(data: int, length: int, _: int | None) -> int:
            send(ctypes.string_at(data, length))
            return length

        return _Callbacks(
            _SEND(give),
            _ERROR(lambda _text, _: None),
            _CLOCK(lambda _: time.monotonic_ns()),
            _TIMER_NEW(lambda *_: 0),
            _TIMER_FREE(lambda *_: None),
            _TIMER_MOD(lambda *_: None),
            _FD(lambda *_: None),
            _FD(lambda *_: None),
            _NOTIFY(lambda _: None),
        )

    def forward(self, port: int, guest_port: int) -> None:
        """Listen on the host's loopback `port` for what the guest serves; raise SlirpError."""
        here, there = _address("127.0.0.1"), _address(GUEST)
        if self._library.slirp_add_hostfwd(self._slirp, 0, here, port, there, guest_port):
            raise SlirpError(f"port {port} of the loopback is taken")

    def expose(self, inside: str, port: int, path: str) -> None:
        """Let the guest reach the unix socket `path` as inside:port; raise SlirpError."""
        address = _address(inside)
        if self._library.slirp_add_unix(self._slirp, path.encode(), ctypes.byref(address), port):
            raise SlirpError(f"{inside}:{port} cannot be an address of the guest's network")

    def take(self, frame: bytes) -> None:
        """Take one frame of the guest; what is no frame is dropped by the library."""
        self._library.slirp_input(self._slirp, frame, len(frame))

    def turn(self, others: dict[int, int]) -> dict[int, int]:
        """Wait at most a second for the network's sockets and `others`, and serve the former.

        others: file descriptor -> poll's events. Returns those of them that happened.
        """
        timeout = ctypes.c_uint32(ROUND_MS)
        self._polled.clear()
        self._library.slirp_pollfds_fill(self._slirp, ctypes.byref(timeout), self._add_poll, None)
        wanted = dict(others)
        for fd, events in self._polled:
            wanted[fd] = wanted.get(fd, 0) | _translate(events, to_poll=True)
        poll = select.poll()
        for fd, events in wanted.items():
            poll.register(fd, events)
        happened = dict(poll.poll(min(timeout.value, ROUND_MS)))
        self._answers = [_translate(happened.get(fd, 0), to_poll=False) for fd, _ in self._polled]
        self._library.slirp_pollfds_poll(self._slirp, 0, self._revents, None)
        return {fd: happened[fd] for fd in others if fd in happened}

    def close(self) -> None:
        """End every connection."""
        self._library.slirp_cleanup(self._slirp)

    def _remember(self, fd: int, events: int, _: int | None) -> int:
        self._polled.append((fd, events))
        return len(self._polled) - 1


def _translate(events: int, *, to_poll: bool) -> int:
    pairs = EVENTS if to_poll else [(theirs, ours) for ours, theirs in EVENTS]
    return sum(to for source, to in pairs if events & source)


def _load() -> Any:
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError:
        raise SlirpError(f"no {LIBRARY}: install Debian's libslirp0") from None
    library.slirp_new.restype = _P
    library.slirp_new.argtypes = (_P, _P, _P)
    library.slirp_cleanup.argtypes = (_P,)
    library.slirp_input.argtypes = (_P, ctypes.c_char_p, ctypes.c_int)
    library.slirp_pollfds_fill.argtypes = (_P, _P, _ADD_POLL, _P)
    library.slirp_pollfds_poll.argtypes = (_P, ctypes.c_int, _REVENTS, _P)
    hosts = (_P, ctypes.c_int, _Address, ctypes.c_int, _Address, ctypes.c_int)
    library.slirp_add_hostfwd.argtypes = hosts
    library.slirp_add_unix.argtypes = (_P, ctypes.c_char_p, _P, ctypes.c_int)
    return library
