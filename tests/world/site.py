"""A whole site in one folder: brokers, calendar server, hypervisor, service, devices and one room.

Every process is a child of the supervisor, listens on a free loopback port and works below
`folder`, so that closing the site leaves nothing.
"""

import json
import re
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from edge.journal import open_reader
from tests.world import libvirtd
from tests.world.account import Account, account
from tests.world.mosquitto import free_port
from tests.world.places import BIN, ENV, ROOT
from tests.world.probes import answers, healthy, listens, wait_for
from tests.world.servers import CONFIG as RADICALE
from tests.world.site_settings import CLOUD_TOML, EVENT, MOSQUITTO, ROOM_TOML
from tests.world.supervisor import Supervisor, python, sweep

ROOM = "aurora"
USER = "room"

CAPABILITIES = ROOT / "build" / "libvirt-cache"
QUIET_ROWS = 20
"""Rows that may be on their way: the room goes on writing while it is asked."""


@dataclass
class Ports:
    """The site's free loopback ports."""

    room: int = field(default_factory=free_port)
    site: int = field(default_factory=free_port)
    calendar: int = field(default_factory=free_port)
    edge: int = field(default_factory=free_port)
    panel: int = field(default_factory=free_port)
    ingest: int = field(default_factory=free_port)
    reconcile: int = field(default_factory=free_port)
    admin: int = field(default_factory=free_port)
    admin_health: int = field(default_factory=free_port)


@dataclass(frozen=True)
class Media:
    """What the room sees and hears, and the (second, people) pairs its board follows."""

    camera: str
    microphone: str
    people: list[tuple[float, int]]


@dataclass(frozen=True)
class Wishes:
    """What a caller may choose instead of what the site simulates."""

    calendar: str = ""
    lead_s: float = 45.0
    extend_s: float = 45.0


class Site:
    """Brings everything up in order; `close` takes all of it down and sweeps the folder's name."""

    nodes: tuple[str, ...] = ("board1",)

    def __init__(
        self, folder: Path, wishes: Wishes, tell: Callable[[str, str], None], media: Media
    ) -> None:
        self.folder = folder
        self.wishes = wishes
        self.ports = Ports()
        self.tell = tell
        self.media = media
        self.logs = folder / "log"
        self.logs.mkdir(parents=True)
        self.supervisor = Supervisor(self.logs, tell)
        self.env = {**ENV, "TMPDIR": str(folder)}
        self.account = account(wishes.calendar) or Account(
            f"http://127.0.0.1:{self.ports.calendar}/{USER}/calendar/", USER, "demo"
        )
        self._booked: list[str] = []
        self.journal = folder / "room.journal"

    def up(self) -> None:
        """Start every part and wait until each says that it is well."""
        self._brokers()
        self._calendar()
        self._devices()
        self._service()
        self._room()

    def close(self) -> list[str]:
        """Stop every part; return what had to be killed."""
        stubborn = self.supervisor.close()
        self._unbook()
        # Guests outlive their daemon, as they should; here nobody is left to want them.
        libvirtd.end(self.folder / "libvirt")
        return stubborn + sweep(str(self.folder))

    def book(self, uid: str, start: float, end: float, summary: str) -> None:
        """Put a meeting into the room's calendar as an organiser's client does."""
        body = EVENT.format(
            uid=uid, start=_stamp(start), end=_stamp(end), now=_stamp(time.time()), summary=summary
        )
        self._booked.append(uid)
        kind = {"Content-Type": "text/calendar", "If-None-Match": "*"}
        self._ask("PUT", f"{uid}.ics", body.replace("\n", "\r\n").encode(), kind)

    def _ask(
        self,
        method: str,
        name: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        request = urllib.request.Request(
            self.account.url + name,
            body,
            {**(headers or {}), **self.account.headers},
            method=method,
        )
        urllib.request.urlopen(request, timeout=10).close()

    def _unbook(self) -> None:
        """Somebody's own calendar is left as it was found."""
        for uid in self._booked if self.wishes.calendar else []:
            try:
                self._ask("DELETE", f"{uid}.ics")
            except OSError as error:
                self.tell("calendar", f"{uid} could not be removed: {error}")

    def cancel(self, uid: str) -> None:
        """Take a meeting out of the room's calendar as an organiser's client does."""
        self._ask("DELETE", f"{uid}.ics")

    def _devices(self) -> None:
        port = str(self.ports.room)
        self.supervisor.start(
            "devices",
            python(
                "-m", "tests.world.devices", "--port", port,
                "--device", "ceiling", "--device", "radiator",
            ),
            self.env,
        )  # fmt: skip
        self._boards()

    def _boards(self) -> None:
        port = str(self.ports.room)
        self.supervisor.start(
            "board",
            python(
                "-m", "tests.world.board", "--port", port, "--room", ROOM, "--node", "board1",
                "--people", ",".join(f"{at:g}:{count}" for at, count in self.media.people),
            ),
            self.env,
        )  # fmt: skip

    def _service(self) -> None:
        home = self.folder / "libvirt"
        _, _, self.hypervisor = libvirtd.prepare(home)
        self.supervisor.start(
            "libvirtd", python("-m", "tests.world.libvirtd", str(home), str(CAPABILITIES)), ENV
        )
        guest = ROOT / "build" / "guest"
        if not (guest / "manifest.json").exists():
            self.tell("demo", "building the small guest (kept in build/guest)")
            subprocess.run(
                [str(BIN / "roomkeeper-cloud"), "image", str(guest)], check=True, timeout=120
            )
        config = self.folder / "cloud.toml"
        config.write_text(CLOUD_TOML.format(site=self, ports=self.ports, guest=guest, root=ROOT))
        wait_for("libvirtd", (home / "libvirt-sock").exists, 40, self.log("libvirtd"))
        for name, port in (
            ("ingest", self.ports.ingest),
            ("reconcile", self.ports.reconcile),
            ("admin", self.ports.admin_health),
        ):
            self.supervisor.start(
                name, [str(BIN / "roomkeeper-cloud"), name, str(config)], self.env
            )
            wait_for(name, lambda p=port: healthy(p), 60, self.log(name))

    def admin_password(self) -> str:
        """Return the one-time password that the admin page printed at its first start, or ""."""
        text = self.log("admin").read_text(errors="replace")
        found = re.search(r"one-time password (\S+)", text)
        return found[1] if found else ""

    def service_has_all(self) -> bool:
        """Return whether the service has acknowledged every durable row of the room."""
        with open_reader(self.journal) as reader:
            meta = reader.meta()
        return int(str(meta.get("cursor", 0))) >= int(str(meta.get("head_seq", 0))) - QUIET_ROWS

    def log(self, name: str) -> Path:
        """Return the file with what a part said."""
        return self.logs / f"{name}.log"

    def _room(self) -> None:
        config = self.folder / "room.toml"
        secret = self.folder / "calendar.password"
        secret.touch(mode=0o600)
        secret.write_text(self.account.password + "\n")
        # JSON's strings are TOML's: a device or address is what somebody typed.
        typed = {
            "calendar": json.dumps(self.account.url),
            "user": json.dumps(self.account.user),
            "camera": json.dumps(self.media.camera),
            "microphone": json.dumps(self.media.microphone),
            "nodes": json.dumps(self.nodes),
        }
        config.write_text(
            ROOM_TOML.format(site=self, ports=self.ports, root=ROOT, room=ROOM, **typed)
        )
        self.supervisor.start("edge", [str(BIN / "roomkeeper-edge"), "run", str(config)], self.env)
        wait_for("the room", lambda: healthy(self.ports.edge), 30, self.log("edge"))

    def _brokers(self) -> None:
        for name, port in (("broker-room", self.ports.room), ("broker-site", self.ports.site)):
            home = self.folder / name
            home.mkdir()
            config = home / "mosquitto.conf"
            config.write_text(MOSQUITTO.format(port=port, folder=f"{home}/"))
            self.supervisor.start(name, ["mosquitto", "-c", str(config)], self.env)
        for name, port in (("broker-room", self.ports.room), ("broker-site", self.ports.site)):
            wait_for(name, lambda p=port: listens(p), 10, self.log(name))

    def _calendar(self) -> None:
        if self.wishes.calendar:
            return
        home = self.folder / "calendar"
        home.mkdir()
        (home / "users").write_text(f"{USER}:{self.account.password}\n")
        config = home / "config"
        config.write_text(RADICALE.format(port=self.ports.calendar, folder=home))
        self.supervisor.start(
            "calendar", python("-m", "radicale", "--config", str(config)), self.env
        )
        url = f"http://127.0.0.1:{self.ports.calendar}/"
        wait_for("calendar", lambda: answers(url), 20, self.log("calendar"))
        self._ask("MKCALENDAR", "")


def _stamp(wall: float) -> str:
    return datetime.fromtimestamp(wall, UTC).strftime("%Y%m%dT%H%M%SZ")
