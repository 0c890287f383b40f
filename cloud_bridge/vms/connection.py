"""A libvirt connection that is made anew when it broke, and the event loop it needs."""

import os
import threading
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import libvirt
import structlog

from cloud_bridge.vms.base import VmError

log = structlog.get_logger()

EMBED_SETTINGS = """\
# Written by roomkeeper for an embedded driver: guests run as whoever runs the reconciler.
user = "+{uid}"
group = "+{gid}"
security_driver = "none"
cgroup_controllers = []
namespaces = []
remember_owner = 0
stdio_handler = "file"
"""

_loop_lock = threading.Lock()
_loop_started = False


def _start_event_loop() -> None:
    """Run libvirt's event loop, once per process: an embedded driver hears its guests by it."""
    global _loop_started  # noqa: PLW0603 (libvirt itself has one loop per process)
    with _loop_lock:
        if _loop_started:
            return
        # Its own lines are no JSON; what matters of them comes back as an error.
        os.environ.setdefault("LIBVIRT_DEBUG", "4")
        libvirt.registerErrorHandler(lambda *_: None, None)
        libvirt.virEventRegisterDefaultImpl()
        # Nothing can end the loop, so it must not hold up the process's end.
        threading.Thread(target=_turn, name="libvirt-events", daemon=True).start()
        _loop_started = True


def _turn() -> None:
    while True:
        libvirt.virEventRunDefaultImpl()


def prepare_embed(uri: str, uid: int, gid: int) -> None:
    """Write the settings of an embedded driver into its root, unless somebody did."""
    parts = urlsplit(uri)
    if parts.path != "/embed":
        return
    roots = parse_qs(parts.query).get("root")
    if not roots or not roots[0].startswith("/"):
        raise VmError(f"libvirt uri {uri!r} needs ?root=/an/absolute/folder")
    settings = Path(roots[0]) / "etc" / "qemu.conf"
    try:
        if not settings.exists():
            settings.parent.mkdir(parents=True, exist_ok=True)
            settings.write_text(EMBED_SETTINGS.format(uid=uid, gid=gid))
    except (OSError, ValueError) as error:
        raise VmError(
            f"libvirt uri {uri!r}: its root cannot be made: {error}: name another folder in"
            " [provider] uri"
        ) from error


class Connection:
    """Opens `uri` when first needed and again whenever the connection is dead. Thread-safe."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._lock = threading.Lock()
        self._conn: libvirt.virConnect | None = None

    def get(self) -> "libvirt.virConnect":
        """Return a live connection; raise VmError when there is none to be had."""
        with self._lock:
            if self._conn is not None and self._alive(self._conn):
                return self._conn
            _start_event_loop()
            try:
                self._conn = libvirt.open(self.uri)
            except libvirt.libvirtError as error:
                self._conn = None
                raise VmError(f"libvirt at {self.uri}: {error}") from error
            self._keep_alive(self._conn)
            log.info("libvirt connected", uri=self.uri)
            return self._conn

    def close(self) -> None:
        """Let go of the connection; machines live on unless the driver is embedded."""
        with self._lock:
            if self._conn is not None:
                try:
                    self._conn.close()
                except libvirt.libvirtError as error:
                    log.debug("libvirt connection was dead", error=str(error))
                self._conn = None

    @staticmethod
    def _alive(conn: "libvirt.virConnect") -> bool:
        try:
            return bool(conn.isAlive())
        except libvirt.libvirtError:
            return False

    @staticmethod
    def _keep_alive(conn: "libvirt.virConnect") -> None:
        try:
            conn.setKeepAlive(5, 2)
        except libvirt.libvirtError as error:
            log.debug("no keep-alive on this connection", error=str(error))
