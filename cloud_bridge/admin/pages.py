"""create_admin(...): the admin page as a WSGI application."""

from pathlib import Path

import structlog
from flask import Flask, Response, g, request, send_from_directory
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as Answer

from cloud_bridge.admin import acting, reading, signin
from cloud_bridge.admin.site import YEAR_S, Options, Ports, Site
from cloud_bridge.store import StoreError
from edge.process.web.guard import BODY_LIMIT, HEADERS
from edge.process.web.theme import THEME_FILES

log = structlog.get_logger()
OPEN = ("static", "theme", "login", "sign_in")


def create_admin(ports: Ports, options: Options, theme: Path) -> Flask:
    """Return the page; raise AdminError when a theme file is missing."""
    app = Flask(__name__, static_url_path="/static")
    app.config.update(
        MAX_CONTENT_LENGTH=BODY_LIMIT,
        MAX_FORM_MEMORY_SIZE=BODY_LIMIT,
        MAX_FORM_PARTS=20,
        SEND_FILE_MAX_AGE_DEFAULT=YEAR_S,
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.auto_reload = False
    site = Site(app, ports, options, theme)
    _doors(app, site)
    _troubles(app, site)
    signin.routes(app, site)
    reading.routes(app, site)
    acting.routes(app, site)
    return app


def _doors(app: Flask, site: Site) -> None:
    """What every request passes, whatever it asks for."""

    @app.before_request
    def check() -> Answer | None:
        g.user = None
        if not site.guard.host_known(request):
            return Response("This name is not one of the page's.\n", 421, mimetype="text/plain")
        if request.endpoint in ("static", "theme"):
            return None
        g.user = site.user()
        if request.method == "POST" and not site.guard.form_ours(request):
            return _stale(site)
        return None if request.endpoint in OPEN else _admitted(site)

    @app.after_request
    def cover(response: Response) -> Response:
        response.headers.update(HEADERS)
        if request.endpoint not in ("static", "theme"):
            response.headers["Cache-Control"] = "no-store"
        return response

    @app.get("/theme/<stamp>/<name>")
    def theme(stamp: str, name: str) -> Answer:  # noqa: ARG001 - the stamp renews the cache
        if name not in THEME_FILES:
            return Response(status=404)
        return send_from_directory(site.theme.folder, name)


def _admitted(site: Site) -> Answer | None:
    """Return None for an administrator, else the way to the login."""
    if g.user is None or g.user.role != "admin":
        g.user = None
        quiet = request.endpoint in ("alive", "events")
        return Response(status=401) if quiet else site.to("/login")
    if g.user.must_change and request.endpoint not in ("password", "change", "sign_out"):
        return site.to("/password")
    return None


def _stale(site: Site) -> Answer:
    """A form that was not drawn for this browser, or by an earlier start of ours."""
    if g.user is None:
        return site.page("login.html", 403, trouble="The page was too old. Try again.")
    what = "The page was too old, or the form was not ours. Go back and try again."
    return site.page("error.html", 403, code=403, what=what)


def _troubles(app: Flask, site: Site) -> None:
    @app.errorhandler(HTTPException)
    def failed(error: HTTPException) -> Answer:
        code = error.code or 500
        what = "There is no such page." if code == 404 else "This could not be done."
        return site.page("error.html", code, code=code, what=what)

    @app.errorhandler(StoreError)
    def storeless(error: StoreError) -> Answer:
        log.warning("the database did not answer a page", reason=str(error))
        what = "The database does not answer. The rooms go on; try again in a moment."
        g.user = None
        return site.page("error.html", 503, code=503, what=what)
