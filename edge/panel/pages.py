"""create_panel(...): the panel's pages, its forms and its event stream."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import msgspec
import structlog
from flask import Flask, Response, redirect, request, send_from_directory
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as Answer

from edge.contracts.base import Now
from edge.contracts.signals import Signal
from edge.decide.codes import ready
from edge.decide.core import CoreSettings, CoreState
from edge.panel import ask
from edge.panel.codes import Minted
from edge.panel.options import Options
from edge.panel.past import KEPT, History
from edge.panel.render import Reader, Renderer
from edge.panel.view import PanelView, view, voice_of
from edge.panel.why import explain
from edge.panel.words import choose, load
from edge.process.web.guard import BODY_LIMIT, HEADERS, Guard, Pace
from edge.process.web.pulse import Pulse
from edge.process.web.stream import Seats, Stream
from edge.process.web.theme import LOOKS, THEME_FILES

log = structlog.get_logger()
COOKIE = "roomkeeper_panel"
DEEDS_READ = 120
SETTLE_S = 0.25
"""How long an answer waits for the loop to have taken the signal."""
YEAR_S = int(timedelta(days=365).total_seconds())


@dataclass(frozen=True, slots=True)
class Ports:
    """What the panel reads and where it posts; all of them safe to call from any thread."""

    state: Callable[[], CoreState]
    post: Callable[[Signal], None]
    now: Callable[[], Now]
    history: History
    pulse: Pulse


class Panel:
    """What the routes share."""

    def __init__(
        self, app: Flask, ports: Ports, settings: CoreSettings, options: Options, theme: Path
    ) -> None:
        self.ports = ports
        self.settings = settings
        self.options = options
        self.theme = theme
        self.guard = Guard(options.hosts, COOKIE)
        self.pace = Pace(time.monotonic)
        self.seats = Seats(options.streams)
        self.renderer = Renderer(app, theme)
        self.minted = Minted()

    def reader(self, seat: str) -> Reader:
        """Return who reads, from the request's query, cookies and headers."""
        args, kept = request.args, request.cookies
        accepted = request.headers.get("Accept-Language", "")
        language = choose(args.get("lang"), kept.get("lang"), accepted, self.options.language)
        look = args.get("look") or kept.get("look") or "auto"
        return Reader(
            voice=voice_of(load(language), self.options),
            look=look if look in LOOKS else "auto",
            token=self.guard.token(seat),
            tab="controls" if args.get("tab") == "controls" else "room",
            notice=args.get("notice", "") if args.get("notice") in NOTICES else "",
        )

    def view(self, reader: Reader) -> PanelView:
        """Return the page of this instant."""
        ports = self.ports
        history = ports.history(DEEDS_READ)
        words = reader.voice.words
        codes = self.minted.known()
        return view(ports.state(), self.settings, self.options, words, history, ports.now(), codes)

    def asked(self, verb: str, form: Mapping[str, str]) -> str:
        """Post what a form asks for; return the key of the refusal, "" when it was done."""
        ports = self.ports
        seen, before = ports.pulse.count, ports.state()
        signal = ask.parse(verb, form, before, self.settings, self.options, ports.now())
        machine = ready(before.room.machines, signal.meeting)
        if signal.verb == "connect" and machine is not None:
            # Only the seal goes through the journal: the code is known to this panel alone.
            signal = msgspec.structs.replace(signal, value=self.minted.mint(machine.key))
        ports.post(signal)
        deadline = time.monotonic() + SETTLE_S
        while True:
            refused = ask.refused(signal, before, ports.state())
            left = deadline - time.monotonic()
            if not refused or left <= 0 or ports.pulse.closed:
                return refused
            seen = ports.pulse.wait(seen, left)


NOTICES = (
    "done", "refused_unchanged", "refused_not_now", "refused_form", "refused_range",
    "refused_policy", "refused_gate", "refused_safety", "refused_busy", "refused_stale",
)  # fmt: skip


def create_panel(
    *,
    state: Callable[[], CoreState],
    settings: CoreSettings,
    post: Callable[[Signal], None],
    now: Callable[[], Now],
    history: History,
    pulse: Pulse,
    options: Options,
    theme: Path,
) -> Flask:
    """Return the panel as a WSGI application; raise PanelError when a theme file is missing."""
    app = Flask(__name__, static_url_path="/static")
    app.config.update(
        MAX_CONTENT_LENGTH=BODY_LIMIT,
        MAX_FORM_MEMORY_SIZE=BODY_LIMIT,
        MAX_FORM_PARTS=20,
        SEND_FILE_MAX_AGE_DEFAULT=YEAR_S,
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.auto_reload = False
    panel = Panel(app, Ports(state, post, now, history, pulse), settings, options, theme)
    _doors(app, panel)
    _reading(app, panel)
    _asking(app, panel)
    return app


def _doors(app: Flask, panel: Panel) -> None:
    """What every request passes, whatever it asks for."""

    @app.before_request
    def check() -> Answer | None:
        if not panel.guard.host_known(request):
            return Response("This name is not one of the panel's.\n", 421, mimetype="text/plain")
        return None

    @app.after_request
    def cover(response: Response) -> Response:
        response.headers.update(HEADERS)
        if request.endpoint not in ("static", "theme"):
            response.headers["Cache-Control"] = "no-store"
        return response

    @app.errorhandler(HTTPException)
    def failed(error: HTTPException) -> tuple[str, int]:
        reader = panel.reader(panel.guard.seat(request))
        return panel.renderer.other("error.html", reader, code=error.code), error.code or 500


def _reading(app: Flask, panel: Panel) -> None:
    """Pages and the event stream."""

    @app.get("/")
    def page() -> Answer:
        known = request.cookies.get(COOKIE)
        seat = panel.guard.seat(request)
        reader = panel.reader(seat)
        response = Response(panel.renderer.page(panel.view(reader), reader))
        panel.guard.mark(response, seat, known)
        for name in ("lang", "look"):
            chosen = reader.voice.words.language if name == "lang" else reader.look
            if request.args.get(name) == chosen:
                response.set_cookie(name, chosen, max_age=YEAR_S, httponly=True, samesite="Strict")
        return response

    @app.get("/why/<ident>")
    def why(ident: str) -> tuple[str, int]:
        reader = panel.reader(panel.guard.seat(request))
        ports = panel.ports
        told = explain(
            ports.history(KEPT), ident, ports.state(), panel.settings, reader.voice,
            ports.now().wall,
        )  # fmt: skip
        return panel.renderer.other("why.html", reader, why=told), 200 if told else 404

    @app.get("/events")
    def events() -> Answer:
        if not panel.guard.from_here(request):
            return Response(status=403)
        if not panel.seats.take():
            return Response(status=503, headers={"Retry-After": "5"})
        reader = panel.reader(panel.guard.seat(request))

        before: PanelView | None = None

        def draw() -> dict[str, str]:
            nonlocal before
            last, before = before, panel.view(reader)
            return panel.renderer.parts(before, reader, last)

        stream = Stream(draw, panel.ports.pulse, panel.seats, panel.renderer.stamp)
        return Response(stream, mimetype="text/event-stream", direct_passthrough=True)

    @app.get("/theme/<stamp>/<name>")
    def theme(stamp: str, name: str) -> Answer:  # noqa: ARG001 - the stamp renews the cache
        if name not in THEME_FILES:
            return Response(status=404)
        return send_from_directory(panel.theme.resolve(), name)


def _asking(app: Flask, panel: Panel) -> None:
    """Forms: by script (JSON answer) or without (a redirect back to the page)."""

    @app.post("/do/<verb>")
    def do(verb: str) -> Answer | tuple[dict[str, object], int]:
        word, code = _do(panel, verb)
        if request.headers.get("Accept") == "application/json":
            reader = panel.reader(panel.guard.seat(request))
            return {"ok": code == 200, "word": word, "text": reader.voice(word)}, code
        tab = "&tab=controls" if request.args.get("tab") == "controls" else ""
        return redirect(f"/?notice={word}{tab}", 303)


def _do(panel: Panel, verb: str) -> tuple[str, int]:
    if not panel.guard.form_ours(request):
        return "refused_stale", 403
    if not panel.pace.take():
        return "refused_busy", 429
    try:
        refused = panel.asked(verb, request.form.to_dict())
    except ask.AskError as error:
        log.info("panel form refused", verb=verb[:40], reason=str(error))
        return error.word, 400 if error.word == "refused_form" else 409
    return (refused, 409) if refused else ("done", 200)
