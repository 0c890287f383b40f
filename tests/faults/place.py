"""The service without a room: broker, hypervisor with a stranger in it, ingest, reconcilers."""

import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from cloud_bridge.vms.guest import cpio
from edge.contracts.wire import WantedMachine
from edge.process.link import Broker
from tests.cloud_bridge.service import ROOT, Asker, Running, new_key
from tests.faults.outside import Watch, guests, pid_of, virsh
from tests.world.libvirtd import Libvirtd
from tests.world.mosquitto import Mosquitto, free_port
from tests.world.probes import healthy
from tests.world.waiting import until

LONG_S = 300.0
PERIODS_S = 6.0
"""Two periods of the reconciler."""
SMALL_MIB = 128
STRANGER = "stranger"
STRANGERS_XML = """<domain type='qemu'><name>{name}</name><memory unit='MiB'>64</memory>
<os><type machine='q35'>hvm</type></os></domain>"""
KEEPS = "autosave_interval 1\nautosave_on_changes true"
CONFIG = """
name = "{name}"
guest = "{guest}"
[broker]
port = {broker}
[store]
url = "{store}"
[provider]
uri = "{uri}"
memory_mib = {memory}
boots = 2
{provider}
[templates.small]
memory_mib = 128
lead_s = 60.0
grace_s = 1.0
boot_s = 90.0
{templates}
[health]
ingest_port = {ingest}
reconcile_port = {reconcile}
"""


QUIET = """
[templates.quiet]
memory_mib = 128
lead_s = 60.0
grace_s = 1.0
boot_s = {boot_s}
kernel = "{kernel}"
initramfs = "{initramfs}"
"""


def quiet(folder: Path, boot_s: float) -> str:
    """Return the template of a guest that starts and never answers."""
    entries = [
        cpio.directory("bin"),
        cpio.regular("bin/busybox", Path("/bin/busybox").read_bytes(), 0o755),
        cpio.regular("init", b"#!/bin/busybox sh\nexec /bin/busybox sleep 9999\n", 0o755),
    ]
    (folder / "quiet").write_bytes(cpio.archive(entries))
    kernel = ROOT / "build" / "guest" / "vmlinux"
    return QUIET.format(boot_s=boot_s, kernel=kernel, initramfs=folder / "quiet")


class Caller(Asker):
    """A room that says again what it wants whenever it has reached the broker, as rooms do."""

    def __init__(self, broker: Broker, room: str = "aurora") -> None:
        super().__init__(broker, room)
        self.wishes: dict[str, WantedMachine] = {}
        self.link.when_up(self._again)

    def say(self, *wishes: WantedMachine) -> None:
        """Want these machines and no others."""
        self.wishes = {wish.key: wish for wish in wishes}
        if self.link.connected:
            self.want(*wishes)

    def ready(self, *keys: str) -> bool:
        """Return whether each of these is told to be ready."""
        return all(self.phase(key) == "ready" for key in keys)

    def gone(self, *keys: str) -> bool:
        """Return whether none of these is told to exist."""
        return all(self.phase(key) in ("gone", "") for key in keys)

    def detail(self, key: str) -> str:
        """Return what was told last of a machine, in words."""
        report = self.report(key)
        return "" if report is None else report.detail

    def lease(self, key: str) -> float:
        """Return the end of a machine's lease as it was told last, wall seconds."""
        report = self.report(key)
        return 0.0 if report is None else report.until

    def _again(self) -> None:
        if self.version:
            self.want(*self.wishes.values())


def wish(key: str = "", template: str = "small", **changes: float | str) -> WantedMachine:
    """Return a meeting's wish; `start` and `seconds` count from now."""
    key = key or new_key()
    start = time.time() + float(changes.pop("start", 20.0))
    end = start + float(changes.pop("seconds", 900.0))
    return WantedMachine(key, f"meeting {key}", template, start, end, **changes)  # type: ignore[arg-type]


class Place:
    """Everything a meeting's machine needs but the room. `room` asks; `watch` looks from outside.

    libvirtd: one to share with others, else its own; memory_mib: of all machines together.
    """

    def __init__(
        self,
        folder: Path,
        libvirtd: Libvirtd,
        *,
        store: str = "cloud.db",
        memory_mib: int = 4 * SMALL_MIB,
        provider: str = "",
        templates: str = "",
        instances: tuple[str, ...] = ("",),
    ) -> None:
        self.folder = folder
        self.libvirtd = libvirtd
        self.memory_mib = memory_mib
        self.broker = Mosquitto(persistent=True, settings=KEEPS)
        self.ports = {name: free_port() for name in ("ingest", *instances)}
        self.config = folder / "cloud.toml"
        self.written = {
            "name": f"t{new_key()[:8]}",
            "guest": ROOT / "build" / "guest",
            "broker": self.broker.port,
            "store": store,
            "uri": libvirtd.uri,
            "memory": memory_mib,
            "provider": provider,
            "templates": templates,
            "ingest": self.ports["ingest"],
            "reconcile": self.ports[instances[0]],
        }
        self.configure({})
        self.ingest = Running("ingest", self.config)
        self.reconcilers = {name: self._reconciler(name) for name in instances}
        self.watch = Watch(libvirtd.folder)
        self.stranger = 0
        self.strangers_name = f"{STRANGER}-{self.written['name']}"

    @property
    def reconciler(self) -> Running:
        """The first of the reconcilers."""
        return next(iter(self.reconcilers.values()))

    def configure(self, changes: Mapping[str, object]) -> None:
        """Write the configuration anew; who runs already does not know of it."""
        self.written |= changes
        self.config.write_text(CONFIG.format(**self.written))

    def up(self) -> None:
        """Start everything; return when each says that it is well."""
        self.broker.start()
        self.stranger = self._invite()
        self.ingest.start()
        for each in self.reconcilers.values():
            each.start()
        self.room = Caller(self.broker.broker)
        self.room.link.start()
        self.watch.start()
        until(self.well, LONG_S, f"all well: {self.folder}")

    def well(self) -> bool:
        """Return whether every part answers and says that it is well."""
        running = all(healthy(port) for port in self.ports.values())
        return self.room.link.connected and running and self.listed() is not None

    def listed(self) -> list[str] | None:
        """Return what the hypervisor lists besides the stranger; None while it does not answer."""
        names = virsh(self.libvirtd.uri, "list", "--all", "--name")
        return None if names is None else [name for name in names if not name.startswith(STRANGER)]

    def guests(self) -> dict[int, str]:
        """Return the machines that run, by process id, whatever any daemon says of them."""
        return guests(self.libvirtd.folder)

    def one(self, key: str) -> int:
        """Return the process id of the key's one machine, 0 when there is none."""
        found = [pid for pid, name in self.guests().items() if name.endswith(key)]
        assert len(found) <= 1, f"{key} runs {len(found)} times"
        return found[0] if found else 0

    def orphans(self, *wanted: str) -> list[str]:
        """Return the machines that run or are listed and are none of the wanted keys."""
        listed = self.listed()
        names = {*self.guests().values(), *(["not listed"] if listed is None else listed)}
        return sorted(name for name in names if not name.endswith(tuple(wanted) or ("nothing",)))

    def problems(self) -> list[str]:
        """Return what must never be: second machines, memory above the host, a stranger touched."""
        found = [f"twice at once: {name}" for name in sorted(self.watch.seconds)]
        if self.watch.most_mib > self.memory_mib:
            found.append(f"{self.watch.most_mib} MiB of {self.memory_mib} admitted")
        if self.stranger not in pid_of(self.libvirtd.folder, self.strangers_name):
            found.append("the stranger's process is another one")
        if virsh(self.libvirtd.uri, "domstate", self.strangers_name) != ["paused"]:
            found.append("the stranger's domain was touched")
        return found

    def log_of(self, *parts: Running) -> str:
        """Return the last of what the reconcilers said."""
        chosen = parts or tuple(self.reconcilers.values())
        return "\n".join(part.log.read_text(errors="replace")[-2500:] for part in chosen)

    def down(self) -> None:
        """End everything, its machines too."""
        for each in (*self.reconcilers.values(), self.ingest):
            if each.process is not None and each.process.poll() is None:
                each.kill()
        for name in [*(self.listed() or ()), self.strangers_name]:
            virsh(self.libvirtd.uri, "destroy", name)
        self.broker.__exit__(None, None, None)
        self.watch.stop()
        if hasattr(self, "room"):
            self.room.link.stop()

    def _reconciler(self, name: str) -> Running:
        options = ("--instance", name, "--health-port", str(self.ports[name])) if name else ()
        return Running("reconcile", self.config, *options)

    def _invite(self) -> int:
        """Let a stranger's machine run beside ours, at rest; return its process id."""
        xml = self.folder / "stranger.xml"
        xml.write_text(STRANGERS_XML.format(name=self.strangers_name))
        assert virsh(self.libvirtd.uri, "create", str(xml), "--paused") is not None
        (pid,) = pid_of(self.libvirtd.folder, self.strangers_name)
        return pid

    def __enter__(self) -> Self:
        try:
            self.up()
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            print(self.log_of())
        self.down()


def cleared(place: Place) -> None:
    """Cancel everything; nothing is left over then, and nothing was there that must not be."""
    place.room.say()
    until(lambda: not place.guests(), LONG_S, "the end of every machine")
    until(lambda: place.orphans() == [], PERIODS_S, "the hypervisor's list is empty")
    assert place.problems() == []
