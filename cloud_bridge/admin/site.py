"""What the page's routes share: stores, the signed-in reader, the drawing of templates."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from flask import Flask, Response, g, redirect, request
from werkzeug.wrappers import Response as Answer

from cloud_bridge.admin import AdminError, passwords
from cloud_bridge.admin.facts import Facts
from cloud_bridge.admin.say import Say
from cloud_bridge.store import LookStore, MachineStore, RecordStore, UserStore
from cloud_bridge.store.users import Session, User
from edge.process.web import WebError
from edge.process.web.brake import Brake, who_asks
from edge.process.web.guard import Guard, Pace
from edge.process.web.pulse import Pulse
from edge.process.web.stream import Seats
from edge.process.web.theme import LOOKS, Theme

SEAT, SESSION, LOOK = "roomkeeper_admin_seat", "roomkeeper_admin", "look"
SECRET_LENGTH = 64
YEAR_S = 365 * 86400
UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Options:
    """hosts: names the page may be asked by; tls: it is behind a proxy that speaks TLS."""

    hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")
    zone: ZoneInfo = UTC
    hours: float = 12.0
    tls: bool = False
    streams: int = 8


@dataclass(frozen=True, slots=True)
class Ports:
    """What the pages read and write; all of them safe to call from any thread."""

    facts: Callable[[], Facts]
    looks: LookStore
    machines: MachineStore
    records: RecordStore
    users: UserStore
    pulse: Pulse
    wall: Callable[[], float] = time.time
    mono: Callable[[], float] = time.monotonic


class Site:
    """The admin page of one service."""

    def __init__(self, app: Flask, ports: Ports, options: Options, theme: Path) -> None:
        self.app = app
        self.ports = ports
        self.options = options
        self.guard = Guard(options.hosts, SEAT, bound=SESSION)
        self.brake = Brake(ports.mono)
        self.pace = Pace(ports.mono)
        self.seats = Seats(options.streams)
        static = Path(app.static_folder or "")
        try:
            self.theme = Theme(theme, [static / "admin.css", static / "admin.js"])
        except WebError as error:
            raise AdminError(str(error)) from error
        self._env = app.jinja_env
        self._env.globals.update(icons=self.theme.icons, stamp=self.theme.stamp, looks=LOOKS)

    def say(self) -> Say:
        """Return how this instant says times."""
        return Say(self.options.zone, self.ports.wall())

    def address(self) -> str:
        """Return who asks, for the brake."""
        forwarded = request.headers.get("X-Forwarded-For", "")
        return who_asks(request.remote_addr, forwarded, behind_proxy=self.options.tls)

    def secret(self) -> str:
        """Return the browser's session secret, "" for what can be none."""
        kept = request.cookies.get(SESSION, "")
        return kept if len(kept) == SECRET_LENGTH and kept.isalnum() else ""

    def user(self) -> User | None:
        """Return who is signed in."""
        secret = self.secret()
        if not secret:
            return None
        return self.ports.users.holder(passwords.digest(secret), self.ports.wall())

    def sign_in(self, name: str, response: Answer) -> None:
        """Give the browser a new session."""
        secret = secrets.token_hex(SECRET_LENGTH // 2)
        now = self.ports.wall()
        expires = now + self.options.hours * 3600.0
        self.ports.users.open(Session(passwords.digest(secret), name, expires), now)
        response.set_cookie(
            SESSION, secret, max_age=int(self.options.hours * 3600), httponly=True,
            samesite="Strict", secure=self.options.tls, path="/",
        )  # fmt: skip

    def look(self) -> str:
        """Return the look asked for, or kept."""
        look = request.args.get(LOOK) or request.cookies.get(LOOK) or "auto"
        return look if look in LOOKS else "auto"

    def page(self, template: str, status: int = 200, /, **more: object) -> Answer:
        """Return a drawn page that its browser can send forms from."""
        known = request.cookies.get(SEAT)
        seat = self.guard.seat(request)
        token = self.guard.token(seat, request.cookies.get(SESSION, ""))
        response = Response(self.draw(template, token=token, **more), status)
        self.guard.mark(response, seat, known)
        if request.args.get(LOOK) == self.look():
            response.set_cookie(LOOK, self.look(), max_age=YEAR_S, httponly=True, samesite="Strict")
        return response

    def token(self) -> str:
        """Return what the forms of the asking browser carry."""
        return self.guard.token(self.guard.seat(request), request.cookies.get(SESSION, ""))

    def draw(self, template: str, **more: object) -> str:
        """Return a template's text."""
        values = {"look": self.look(), "user": g.get("user"), "say": self.say(), **more}
        return self._env.get_template(template).render(**values)

    def to(self, path: str) -> Answer:
        """Return the way to another page, after a form."""
        return redirect(path, 303)
