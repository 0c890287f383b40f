"""A machine's screen for its visitor: a websocket, joined to the unix socket of its VNC alone."""

import asyncio
from collections import Counter

import structlog
from aiohttp import WSMsgType, web
from prometheus_client import Gauge

from cloud_bridge.door.site import Site, place_of
from cloud_bridge.types import Machine

log = structlog.get_logger()
SCREENS = Gauge("roomkeeper_door_screens", "Screens of machines that are being looked at.")
PIECE = 64 * 1024
MESSAGE_LIMIT = 256 * 1024
LOOK_S = 1.0
CONNECT_S = 3.0
BEAT_S = 20.0
PER_MACHINE = 4
OVER = 4001
"""The websocket's closing code when the visit or its machine has ended."""


class Screen:
    """The page with the screen, and its websocket."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._open: Counter[str] = Counter()

    async def show(self, request: web.Request) -> web.StreamResponse:
        """The page that noVNC draws on."""
        machine = await self._site.visited(request)
        if not machine.screen or self._site.options.novnc is None:
            raise web.HTTPNotFound
        page = self._site.page(request, "screen.html", place=place_of(machine.key), machine=machine)
        # noVNC draws the pointer as a picture of its own.
        policy = page.headers["Content-Security-Policy"]
        page.headers["Content-Security-Policy"] = policy.replace(
            "img-src 'self'", "img-src 'self' data:"
        )
        return page

    async def join(self, request: web.Request) -> web.StreamResponse:
        """Join the browser to the machine's own VNC; nothing in the request says where that is."""
        machine = await self._site.visited(request)
        if not machine.screen:
            raise web.HTTPNotFound
        if not self._site.same_origin(request):
            raise web.HTTPForbidden
        if self._open[machine.key] >= PER_MACHINE:
            raise web.HTTPTooManyRequests
        socket = web.WebSocketResponse(
            max_msg_size=MESSAGE_LIMIT, heartbeat=BEAT_S, compress=False, protocols=("binary",)
        )
        if not socket.can_prepare(request).ok:
            raise web.HTTPUpgradeRequired(text="This is a screen's websocket.")
        self._open[machine.key] += 1
        SCREENS.inc()
        try:
            return await self._joined(request, socket, machine)
        finally:
            SCREENS.dec()
            self._open[machine.key] -= 1

    async def _joined(
        self, request: web.Request, socket: web.WebSocketResponse, machine: Machine
    ) -> web.StreamResponse:
        try:
            async with asyncio.timeout(CONNECT_S):
                reader, writer = await asyncio.open_unix_connection(machine.screen)
        except (OSError, TimeoutError) as error:
            log.info("a machine's screen does not answer", key=machine.key, reason=repr(error))
            raise web.HTTPBadGateway(text="The machine's screen does not answer.") from error
        await socket.prepare(request)
        ways = [
            asyncio.create_task(_to_guest(socket, writer)),
            asyncio.create_task(_to_visitor(reader, socket)),
            asyncio.create_task(self._over(request, machine)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            writer.close()
            await socket.close(code=OVER, message=b"over")
        return socket

    async def _over(self, request: web.Request, machine: Machine) -> None:
        """Return once the visit has ended, or the machine is another."""
        while not self._site.stopping.is_set():
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._site.stopping.wait()
            except TimeoutError:
                now = await self._site.visitor(request)
                if now is None or now.token != machine.token:
                    return


async def _to_guest(socket: web.WebSocketResponse, writer: asyncio.StreamWriter) -> None:
    async for message in socket:
        if message.type is not WSMsgType.BINARY:
            return
        writer.write(message.data)
        await writer.drain()


async def _to_visitor(reader: asyncio.StreamReader, socket: web.WebSocketResponse) -> None:
    while piece := await reader.read(PIECE):
        await socket.send_bytes(piece)
