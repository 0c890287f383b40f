"""What the door's routes share: options, who visits, forms that are ours, pages drawn."""

import asyncio
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

from aiohttp import web
from jinja2 import Environment, PackageLoader

from cloud_bridge.door import DoorError
from cloud_bridge.store import DoorStore
from cloud_bridge.types import Machine
from edge.contracts.base import local_time
from edge.process.web import WebError
from edge.process.web.brake import who_asks
from edge.process.web.guard import HEADERS
from edge.process.web.theme import Theme

FORM_LIMIT = 2048
FORM_S = 10.0
SECRET = re.compile(r"[0-9a-f]{64}")
SEAT = re.compile(r"[0-9a-f]{32}")
HOST = re.compile(r"([\w.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Options:
    """hosts: names the door may be asked by; tls: it is behind a proxy that speaks TLS.

    novnc: the folder of noVNC (with core/rfb.js), None for no screens.
    """

    hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    tls: bool = False
    novnc: Path | None = None


class Site:
    """The door of one service."""

    def __init__(
        self,
        store: DoorStore,
        options: Options,
        theme: Path,
        wall: Callable[[], float] = time.time,
        mono: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = store
        self.options = options
        self.wall = wall
        self.mono = mono
        self.stopping = asyncio.Event()
        self._secret = secrets.token_bytes(32)
        self.static = Path(__file__).parent / "static"
        try:
            self.theme = Theme(theme, [self.static / "door.css", self.static / "screen.js"])
        except WebError as error:
            raise DoorError(str(error)) from error
        self._env = Environment(
            loader=PackageLoader("cloud_bridge.door"), autoescape=True, trim_blocks=True,
            lstrip_blocks=True, auto_reload=False,
        )  # fmt: skip
        self._env.globals.update(icons=self.theme.icons, stamp=self.theme.stamp)
        # Browsers keep a cookie of this name to one host and to TLS.
        prefix = "__Host-" if options.tls else ""
        self.cookie, self.seat_cookie = f"{prefix}roomkeeper_door", f"{prefix}roomkeeper_seat"

    async def ask(self, what: Callable[..., T], *more: object) -> T:
        """Return what the store answers, without holding up others."""
        return await asyncio.to_thread(what, *more)

    async def visitor(self, request: web.Request) -> Machine | None:
        """Return the machine that this browser may visit now."""
        secret = request.cookies.get(self.cookie, "")
        if not SECRET.fullmatch(secret):
            return None
        return await self.ask(self.store.visit, digest(secret), self.wall())

    async def visited(self, request: web.Request) -> Machine:
        """Return the machine of the address, if this browser may visit it; else raise."""
        machine = await self.visitor(request)
        if machine is None:
            raise web.HTTPFound("/?over")
        if request.match_info["place"] != place_of(machine.key):
            raise web.HTTPNotFound
        return machine

    def host_known(self, request: web.Request) -> bool:
        """Return whether the door is asked for by a name of its own (no DNS rebinding)."""
        found = HOST.fullmatch(request.headers.get("Host", ""))
        return found is not None and found[1].lower() in self.options.hosts

    def same_origin(self, request: web.Request) -> bool:
        """Return whether a page of ours asks: browsers say so with each form and socket."""
        origin = request.headers.get("Origin", "")
        return bool(origin) and urlsplit(origin).netloc == request.headers.get("Host", "")

    def address_of(self, request: web.Request) -> str:
        """Return who asks, for the brake."""
        forwarded = request.headers.get("X-Forwarded-For", "")
        return who_asks(request.remote, forwarded, behind_proxy=self.options.tls)

    async def form(self, request: web.Request) -> dict[str, str]:
        """Return a small form of ours; raise what refuses it."""
        if (request.content_length or 0) > FORM_LIMIT:
            raise web.HTTPRequestEntityTooLarge(FORM_LIMIT, request.content_length or 0)
        body = b""
        async with asyncio.timeout(FORM_S):
            while len(body) <= FORM_LIMIT and (part := await request.content.read(FORM_LIMIT + 1)):
                body += part
        if len(body) > FORM_LIMIT:
            raise web.HTTPRequestEntityTooLarge(FORM_LIMIT, len(body))
        try:
            found = parse_qs(body.decode("ascii"), max_num_fields=8, keep_blank_values=True)
        except ValueError as error:
            raise web.HTTPBadRequest from error
        form = {name: values[0] for name, values in found.items()}
        seat = request.cookies.get(self.seat_cookie, "")
        signed = hmac.compare_digest(self.token(seat).encode(), form.get("token", "").encode())
        if not (SEAT.fullmatch(seat) and signed and self.same_origin(request)):
            raise web.HTTPForbidden
        return form

    def token(self, seat: str) -> str:
        """Return what a form of this browser must carry."""
        return hmac.new(self._secret, seat.encode(), "sha256").hexdigest()

    def page(
        self, request: web.Request, template: str, status: int = 200, **more: object
    ) -> web.Response:
        """Return a drawn page that its browser can send forms from."""
        kept = request.cookies.get(self.seat_cookie, "")
        seat = kept if SEAT.fullmatch(kept) else secrets.token_hex(16)
        drawn = self._env.get_template(template)
        text = drawn.render(token=self.token(seat), **more)
        response = web.Response(text=text, status=status, content_type="text/html")
        response.headers.update(HEADERS)
        if seat != kept:
            self.set_cookie(response, self.seat_cookie, seat)
        return response

    def set_cookie(self, response: web.Response, name: str, value: str, age: int = 0) -> None:
        """Set a cookie that only the door gets, from its own pages."""
        response.set_cookie(
            name, value, max_age=age or None, httponly=True, samesite="Strict",
            secure=self.options.tls, path="/",
        )  # fmt: skip

    def clock(self, wall: float) -> str:
        """Return a time of day as people read it."""
        return local_time(wall, self.options.zone).strftime("%H:%M")


def digest(secret: str) -> str:
    """Return what is kept of a browser's secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def place_of(key: str) -> str:
    """Return what stands for a machine in addresses: no secret, and opens nothing."""
    return hashlib.sha256(f"place {key}".encode()).hexdigest()[:16]
