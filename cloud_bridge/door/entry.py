"""The way in: a code, typed; it opens one machine, once."""

import asyncio
import secrets

import structlog
from aiohttp import web
from prometheus_client import Counter

from cloud_bridge.door.site import Site, digest, place_of
from cloud_bridge.store import Visit
from cloud_bridge.store.door import Offer
from cloud_bridge.types import Machine
from edge.contracts import codes
from edge.process.web.brake import Brake

log = structlog.get_logger()
ENTRIES = Counter(
    "roomkeeper_door_entries", "Codes typed at the door, by what came of it.", ["what"]
)

WRONG = "No machine is opened by this code now. Look at the panel again."
USED = "This code was used already, or tried too often. Take a new one at the panel."
WAIT = "Too many wrong codes. Wait {seconds} s, then try again."
NOT_READY = "The machine is not ready. Try the code again in a moment."
OVER = "Your visit is over. A code from the panel opens a machine."
VISIT_S = 12 * 3600.0
AT_ONCE = 2
"""So many codes are tried at once: each costs 16 MiB and a core for a moment."""


class Entry:
    """The page with the form, and what it does."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._brake = Brake(site.mono)
        self._trying = asyncio.Semaphore(AT_ONCE)

    async def show(self, request: web.Request) -> web.StreamResponse:
        """The form, or the way on for who has entered."""
        machine = await self._site.visitor(request)
        if machine is not None:
            raise web.HTTPFound(f"/m/{place_of(machine.key)}/")
        return self._page(request, OVER if "over" in request.query else "")

    async def enter(self, request: web.Request) -> web.StreamResponse:
        """Turn a code into a visit."""
        form = await self._site.form(request)
        address = self._site.address_of(request)
        wait = self._brake.wait(address)
        if wait > 0:
            ENTRIES.labels("waits").inc()
            return self._page(request, WAIT.format(seconds=int(wait) + 1), 429)
        code = codes.typed(form.get("code", ""))
        async with self._trying:
            offer = await self._offer(code) if code else None
        if offer is None:
            self._brake.failed(address)
            ENTRIES.labels("wrong").inc()
            log.info("a wrong code", address=address)
            return self._page(request, WRONG, 403)
        return await self._admit(request, offer, address)

    async def _offer(self, code: str) -> Offer | None:
        """Return what the code opens; a wrong try counts against the machines it may be for."""
        site = self._site
        now = site.wall()
        offers = await site.ask(site.store.offers, now)
        near = [o for o in offers if codes.place(o.machine.key) == code[: codes.PLACE]]
        if not near:
            await site.ask(codes.seal, code, "nowhere")  # as long as for one that is near
        for offer in near:
            machine = offer.machine
            if await site.ask(codes.opens, code, machine.key, machine.code):
                return offer
        for offer in near:
            await site.ask(site.store.wrong, offer.machine.code, now)
        return None

    async def _admit(self, request: web.Request, offer: Offer, address: str) -> web.StreamResponse:
        site, now, wish = self._site, self._site.wall(), offer.machine
        machine = await site.ask(site.store.machine, wish.key)
        if machine is None:
            return self._page(request, NOT_READY, 409)
        if not await site.ask(site.store.take, wish.code, now):
            self._brake.failed(address)
            ENTRIES.labels("used").inc()
            log.info("a code was tried again", key=wish.key, address=address)
            return self._page(request, USED, 403)
        self._brake.passed(address)
        ENTRIES.labels("entered").inc()
        log.info("a code was used", key=wish.key, room=offer.room, address=address)
        return await self._opened(machine, now)

    async def _opened(self, machine: Machine, now: float) -> web.StreamResponse:
        site, secret = self._site, secrets.token_hex(32)
        expires = now + VISIT_S  # at the latest: it ends with the machine
        await site.ask(
            site.store.enter, Visit(digest(secret), machine.key, machine.token, expires), now
        )
        response = web.Response(status=303, headers={"Location": f"/m/{place_of(machine.key)}/"})
        # What another machine's page left in this browser does not meet this one's.
        response.headers["Clear-Site-Data"] = '"storage"'
        site.set_cookie(response, site.cookie, secret, int(VISIT_S))
        return response

    async def leave(self, request: web.Request) -> web.StreamResponse:
        """End the visit."""
        await self._site.form(request)
        secret = request.cookies.get(self._site.cookie, "")
        await self._site.ask(self._site.store.leave, digest(secret))
        response = web.Response(status=303, headers={"Location": "/"})
        response.headers["Clear-Site-Data"] = '"storage"'
        response.del_cookie(self._site.cookie, path="/")
        return response

    def _page(self, request: web.Request, trouble: str, status: int = 200) -> web.Response:
        return self._site.page(request, "entry.html", status, trouble=trouble)
