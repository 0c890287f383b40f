"""A real libvirtd of its own: settings, sockets and state in one folder, nothing left behind."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import libvirt

from tests.world.supervisor import DIE_WITH_PARENT
from tests.world.waiting import until

DAEMON = """\
listen_tls = 0
listen_tcp = 0
unix_sock_dir = "{folder}"
auth_unix_ro = "none"
auth_unix_rw = "none"
log_level = 3
"""
QEMU = """\
user = "{uid}"
group = "{gid}"
security_driver = "none"
cgroup_controllers = []
namespaces = []
remember_owner = 0
stdio_handler = "file"
"""
SYSTEM = ("/etc/libvirt", "/run/libvirt", "/var/lib/libvirt", "/var/log/libvirt")
CACHE = Path(__file__).parents[2] / "build" / "libvirt-cache"
CAPABILITIES = "/var/cache/libvirt"
"""What QEMU can do, found out by asking it for seconds: kept between daemons."""


def prepare(folder: Path, cache: Path | None = None) -> tuple[list[str], dict[str, str], str]:
    """Return the command line, the environment and the URI of a daemon that lives in `folder`.

    As root the daemon would use the system's folders, so it gets its own in a mount namespace.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "libvirtd.conf"
    config.write_text(DAEMON.format(folder=folder))
    qemu = QEMU.format(uid=f"+{os.getuid()}", gid=f"+{os.getgid()}")
    daemon = shutil.which("libvirtd") or "/usr/sbin/libvirtd"
    line = [daemon, "--config", str(config), "--pid-file", str(folder / "libvirtd.pid")]
    socket = folder / "libvirt-sock"
    if os.getuid() != 0:
        (folder / "config" / "libvirt").mkdir(parents=True, exist_ok=True)
        (folder / "config" / "libvirt" / "qemu.conf").write_text(qemu)
        env = {f"XDG_{kind}_HOME": str(folder / kind.lower()) for kind in ("CONFIG", "CACHE")}
        env |= {"XDG_RUNTIME_DIR": str(folder), "XDG_DATA_HOME": str(folder / "data")}
        env["TMPDIR"] = str(folder)
        return line, env, f"qemu:///session?socket={socket}"
    mounts = {system: folder / system.strip("/").replace("/", "-") for system in SYSTEM}
    mounts[CAPABILITIES] = cache or folder / "cache"
    for own in mounts.values():
        own.mkdir(parents=True, exist_ok=True)
    (mounts["/etc/libvirt"] / "qemu.conf").write_text(qemu)
    steps = []
    for system, own in mounts.items():
        steps += [f"mkdir -p {system}", f"mount --bind {own} {system}"]
    script = " && ".join([*steps, 'exec "$0" "$@"'])
    shell = ["unshare", "--mount", "--", "sh", "-c", script, *line]
    return shell, {"TMPDIR": str(folder)}, f"qemu:///system?socket={socket}"


def members(folder: Path) -> list[int]:
    """Return the process ids of the daemon in `folder` and of its guests."""
    # The daemon hands TMPDIR on to its guests, whose command lines need not name the folder.
    mark = f"TMPDIR={folder}\0".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) in (os.getpid(), os.getppid()):
            continue
        try:
            if mark in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def end(folder: Path) -> list[int]:
    """Kill the daemon in `folder` and its guests; return who had to be killed."""
    killed = members(folder)
    for pid in killed:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(AssertionError):
        until(lambda: not members(folder), 5)
    return killed


class Libvirtd:
    """Start, kill and restart a libvirtd; at the end its guests are killed too."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="roomkeeper-libvirtd-"))
        self._line, self._env, self.uri = prepare(self.folder, CACHE)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*DIE_WITH_PARENT, *self._line],
                env={**os.environ, **self._env},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            until(self._answers, 30)
        except AssertionError:
            self.kill()
            raise RuntimeError((self.folder / "log").read_text()) from None
        return self

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None
        if not (self.folder / "libvirt-sock").exists():  # libvirt would print that
            return False
        try:
            libvirt.open(self.uri).close()
        except libvirt.libvirtError:
            return False
        return True

    def kill(self) -> None:
        """Kill -9 the daemon; its guests live on."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    def clear(self) -> None:
        """Leave a daemon that runs, and no guest."""
        if self._process is None or self._process.poll() is not None:
            self.start()
        for guest in self.guests():
            with contextlib.suppress(ProcessLookupError):
                os.kill(guest, signal.SIGKILL)
        until(self._empty, 30, "a daemon without guests")

    def _empty(self) -> bool:
        with contextlib.closing(libvirt.open(self.uri)) as conn:
            return not self.guests() and conn.numOfDomains() == 0

    def guests(self) -> list[int]:
        """Return the process ids of the guests that run, whatever the daemon says."""
        return [pid for pid in members(self.folder) if b"qemu-system" in _command(pid)]

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        end(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def main() -> None:
    """Run a daemon in a folder, in this process's place: FOLDER [CAPABILITIES-FOLDER]."""
    line, env, _ = prepare(*(Path(argument).resolve() for argument in sys.argv[1:3]))
    os.execvpe(line[0], line, {**os.environ, **env})


if __name__ == "__main__":
    main()
