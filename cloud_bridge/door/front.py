"""What may be asked at the door: every route there is."""

from collections.abc import AsyncIterator

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from cloud_bridge.door.entry import Entry
from cloud_bridge.door.proxy import Proxy
from cloud_bridge.door.screen import Screen
from cloud_bridge.door.site import Site, place_of
from cloud_bridge.store import StoreError
from edge.process.web.theme import THEME_FILES

log = structlog.get_logger()
STATIC = ("door.css", "screen.js", "icon.svg")
FOREVER = "public, max-age=31536000, immutable"


def create_door(site: Site) -> web.Application:
    """Return the door as an application; made inside the loop that serves it."""
    entry, screen, proxy = Entry(site), Screen(site), Proxy(site)

    async def desk(request: web.Request) -> web.StreamResponse:
        machine = await site.visited(request)
        until = site.clock(machine.until + machine.grace_s)
        screens = bool(machine.screen) and site.options.novnc is not None
        return site.page(
            request, "desk.html", machine=machine, until=until, screens=screens,
            place=place_of(machine.key),
        )  # fmt: skip

    async def bare(request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound(request.path + "/")

    app = web.Application(middlewares=[_doors(site)], client_max_size=1024 * 1024)
    app.router.add_get("/", entry.show)
    app.router.add_post("/enter", entry.enter)
    app.router.add_post("/leave", entry.leave)
    app.router.add_get("/m/{place:[0-9a-f]{16}}/", desk)
    app.router.add_get("/m/{place:[0-9a-f]{16}}/screen", screen.show)
    app.router.add_get("/m/{place:[0-9a-f]{16}}/vnc", screen.join)
    app.router.add_get("/m/{place:[0-9a-f]{16}}/page", bare)
    app.router.add_route("*", "/m/{place:[0-9a-f]{16}}/page/{path:.*}", proxy.handle)
    _files(app, site)

    async def closing(_: web.Application) -> AsyncIterator[None]:
        yield
        await proxy.close()

    async def stopping(_: web.Application) -> None:
        site.stopping.set()

    app.cleanup_ctx.append(closing)
    app.on_shutdown.append(stopping)
    return app


def _files(app: web.Application, site: Site) -> None:
    """Style sheets, scripts, and noVNC as it was installed."""

    async def theme(request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name not in THEME_FILES:
            raise web.HTTPNotFound
        return web.FileResponse(site.theme.folder / name, headers={"Cache-Control": FOREVER})

    async def static(request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name not in STATIC:
            raise web.HTTPNotFound
        return web.FileResponse(site.static / name, headers={"Cache-Control": FOREVER})

    app.router.add_get("/theme/{stamp}/{name}", theme)
    app.router.add_get("/static/{name}", static)
    if site.options.novnc is not None:
        for part in ("core", "vendor"):
            if (site.options.novnc / part).is_dir():
                app.router.add_static(f"/novnc/{part}", site.options.novnc / part)


def _doors(site: Site) -> Middleware:
    """What every request passes, whatever it asks for."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not site.host_known(request):
            return web.Response(status=421, text="This name is not one of the door's.\n")
        try:
            return await handler(request)
        except (web.HTTPRedirection, web.HTTPUpgradeRequired):
            raise
        except web.HTTPException as error:
            return _told(site, request, error.status)
        except TimeoutError:
            return _told(site, request, 408)
        except StoreError as error:
            log.warning("the database did not answer the door", reason=str(error))
            return _told(site, request, 503)

    return check


WHAT = {
    404: "There is no such page.",
    403: "This is not allowed, or the page was too old.",
    413: "That is too large.",
    429: "Too many at once.",
    502: "The machine does not answer.",
    503: "The service does not answer. Try again in a moment.",
}


def _told(site: Site, request: web.Request, status: int) -> web.Response:
    what = WHAT.get(status, "This could not be done.")
    return site.page(request, "error.html", status, code=status, what=what)
