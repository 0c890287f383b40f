"""A machine's web page for its visitor: one fixed address behind, and little of each request."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import unquote, urlsplit

import aiohttp
import structlog
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from cloud_bridge.door.site import Site, place_of
from cloud_bridge.types import Machine

log = structlog.get_logger()
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
BODY_LIMIT = 4 * 1024 * 1024
BODY_S, ANSWER_S, ALL_S = 20.0, 30.0, 300.0
PATH_LIMIT = 2048
AT_ONCE = 64
PIECE = 64 * 1024

TO_GUEST = (
    "Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Content-Type",
    "If-Modified-Since", "If-None-Match", "If-Range", "Range", "User-Agent", "X-Requested-With",
)  # fmt: skip
"""What of a request the guest gets: no cookie, nothing about the connection, no name of ours."""
TO_VISITOR = (
    "Accept-Ranges", "Content-Disposition", "Content-Encoding", "Content-Language",
    "Content-Range", "Content-Type", "ETag", "Last-Modified", "Vary", "WWW-Authenticate",
)  # fmt: skip
"""What of an answer the visitor gets: no cookie, no policy but ours."""
COVER = {
    # The page may run what it brings, and reach nothing but itself.
    "Content-Security-Policy": (
        "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; form-action 'self'; "
        "base-uri 'self'; object-src 'none'; frame-ancestors 'self'; worker-src blob:"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")


class Proxy:
    """Asks guests' pages; `close` it in the end."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._busy = asyncio.Semaphore(AT_ONCE)
        self._session = aiohttp.ClientSession(
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            timeout=aiohttp.ClientTimeout(total=ALL_S, sock_connect=3.0, sock_read=ANSWER_S),
            connector=aiohttp.TCPConnector(limit=AT_ONCE, limit_per_host=16),
        )

    async def close(self) -> None:
        """Let go of the guests."""
        await self._session.close()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Ask the visitor's own machine for what is asked of us."""
        machine = await self._site.visited(request)
        prefix = f"/m/{place_of(machine.key)}/page"
        path = safe_path(request.raw_path, prefix)
        if request.method not in METHODS:
            raise web.HTTPMethodNotAllowed(request.method, METHODS)
        if request.headers.get("Service-Worker"):
            # It would stay in the browser when the machine is long gone.
            raise web.HTTPForbidden
        if request.method not in ("GET", "HEAD", "OPTIONS") and not self._site.same_origin(request):
            raise web.HTTPForbidden
        body = await whole_body(request)
        async with self._asked(request, machine, path, body) as answer:
            return await self._told(request, answer, prefix)

    @asynccontextmanager
    async def _asked(
        self, request: web.Request, machine: Machine, path: str, body: bytes | None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        headers = CIMultiDict(
            (name, request.headers[name]) for name in TO_GUEST if name in request.headers
        )
        # What it was told at its start: so it knows who comes by the door.
        headers["X-Roomkeeper-Token"] = machine.token
        headers["X-Forwarded-Prefix"] = f"/m/{place_of(machine.key)}/page"
        url = URL(f"http://{machine.address}{path}", encoded=True)
        try:
            async with (
                self._busy,
                self._session.request(
                    request.method, url, headers=headers, data=body, allow_redirects=False
                ) as answer,
            ):
                yield answer
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            log.info("a machine's page does not answer", key=machine.key, reason=repr(error))
            raise web.HTTPBadGateway(text="The machine's page does not answer.") from error

    async def _told(
        self, request: web.Request, answer: aiohttp.ClientResponse, prefix: str
    ) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status)
        for name in TO_VISITOR:
            if name in answer.headers:
                response.headers[name] = answer.headers[name]
        location = moved(answer.headers.get("Location", ""), prefix)
        if location:
            response.headers["Location"] = location
        response.headers.update(COVER)
        await response.prepare(request)
        async for piece in answer.content.iter_chunked(PIECE):
            await response.write(piece)
        await response.write_eof()
        return response


async def whole_body(request: web.Request) -> bytes | None:
    """Return a request's body, None when it has none; raise when it is too large or too slow."""
    if not request.body_exists:
        return None
    if (request.content_length or 0) > BODY_LIMIT:
        raise web.HTTPRequestEntityTooLarge(BODY_LIMIT, request.content_length or 0)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_S):
            while part := await request.content.read(PIECE):
                size += len(part)
                if size > BODY_LIMIT:
                    raise web.HTTPRequestEntityTooLarge(BODY_LIMIT, size)
                parts.append(part)
    except TimeoutError as error:
        raise web.HTTPRequestTimeout from error
    return b"".join(parts)


def safe_path(raw: str, prefix: str) -> str:
    """Return path and query behind `prefix`, as they came; raise for what could lead elsewhere."""
    path, mark, query = raw.partition("?")
    inside = path.removeprefix(prefix)
    plain = unquote(unquote(inside))
    if not inside.startswith("/") or path == inside or len(raw) > PATH_LIMIT:
        raise web.HTTPNotFound
    steps = plain.replace("\\", "/").split("/")
    if ".." in steps or "." in steps or UNSAFE.search(plain.replace(" ", "")) or "//" in inside:
        raise web.HTTPBadRequest
    if UNSAFE.search(query) or "#" in raw:
        raise web.HTTPBadRequest
    return inside + mark + query


def moved(location: str, prefix: str) -> str:
    """Return where a guest's redirect leads behind the door; "" when it leads elsewhere."""
    parts = urlsplit(location)
    if not location or parts.scheme or parts.netloc or location.startswith(("//", "/\\", "\\")):
        return ""
    if UNSAFE.search(location):
        return ""
    return prefix + location if location.startswith("/") else location
