"""The pages people read, their event stream, and their tables as files."""

from collections.abc import Callable
from dataclasses import dataclass

from flask import Flask, Response, g, request
from werkzeug.wrappers import Response as Answer

from cloud_bridge.admin import csvfile, passwords
from cloud_bridge.admin.images import images_view
from cloud_bridge.admin.machines import machines_view
from cloud_bridge.admin.meetings import meetings_view
from cloud_bridge.admin.questions import questions_view
from cloud_bridge.admin.site import Site
from cloud_bridge.admin.trail import KINDS, TrailRow, cause_of, trail_row, why
from cloud_bridge.admin.view import Overview, overview
from cloud_bridge.store import StoreError
from cloud_bridge.store.looking import Search
from edge.process.web.stream import Stream

ROWS, EXPORTED = 60, 5000
SEQUENCE_LIMIT = 2**53
LATER = 300
CHECK_S = 5.0
PARTS = {
    "overview": ("nav", "head", "attention", "rooms"),
    "meetings": ("nav", "meetings"),
    "machines": ("nav", "questions", "machines", "images"),
    "audit": ("nav", "trail", "answers"),
}
"""Page -> the parts of it that its event stream renews."""
NOTICES = {
    "password": "Your password is changed.",
    "retry": "It begins anew as soon as the reconciler looks.",
    "abandoned": "Abandoned. Nothing more is tried for this meeting.",
    "nothing": "There was nothing to begin anew.",
    "granted": "Granted. The machine is begun in time.",
    "denied": "Denied. There will be no machine.",
    "answered": "There was nothing left to answer, or it is asked anew.",
    "stale": "The page was too old. It is fresh now: try again.",
}


@dataclass(frozen=True, slots=True)
class Filters:
    """What the trail shows. kind "": everything; before: older than that row of that room."""

    room: str
    kind: str
    text: str
    before: int

    @property
    def query(self) -> dict[str, str]:
        """As a link carries them."""
        return {"room": self.room, "kind": self.kind, "text": self.text}


@dataclass(frozen=True, slots=True)
class Trail:
    """The trail's page. trouble: why it could not be read."""

    filters: Filters
    rooms: tuple[str, ...]
    kinds: tuple[tuple[str, str], ...]
    rows: tuple[TrailRow, ...]
    older: int
    trouble: str


def routes(app: Flask, site: Site) -> None:
    """Add the pages that only read."""

    @app.get("/")
    def first() -> Answer:
        return _page(site, "overview")

    @app.get("/meetings")
    def meetings() -> Answer:
        return _page(site, "meetings")

    @app.get("/machines")
    def machines() -> Answer:
        return _page(site, "machines")

    @app.get("/audit")
    def audit() -> Answer:
        return _page(site, "audit")

    @app.get("/audit/<room>/<int:sequence>")
    def row(room: str, sequence: int) -> Answer:
        return _row(site, room, min(sequence, SEQUENCE_LIMIT))

    @app.get("/export/<name>.csv")
    def export(name: str) -> Answer:
        return _export(site, name)

    @app.get("/alive")
    def alive() -> Answer:
        return Response(status=204)

    @app.get("/events")
    def events() -> Answer:
        return _events(site)


def values(site: Site, page: str) -> dict[str, object]:
    """Return what a page's templates need."""
    facts, say = site.ports.facts(), site.say()
    first = overview(facts, say)
    found: dict[str, object] = {"page": page, "o": first, "nav": _nav(first)}
    if page == "meetings":
        found["m"] = meetings_view(facts, say)
    elif page == "machines":
        found["m"] = machines_view(facts, say)
        found["q"] = questions_view(facts, say)
        found["images"] = images_view(facts, say)
    elif page == "audit":
        found["t"] = _trail(site, ROWS)
        found["q"] = questions_view(facts, say)
    return found


def _nav(first: Overview) -> int:
    return len(first.attention) + first.more


def _page(site: Site, page: str) -> Answer:
    notice = NOTICES.get(request.args.get("notice", ""), "")
    return site.page(f"{page}.html", 200, notice=notice, **values(site, page))


def _filters() -> Filters:
    args = request.args
    before = args.get("before", "")
    return Filters(
        args.get("room", "")[:128],
        kind if (kind := args.get("kind", "action")) in ("", *dict(KINDS)) else "action",
        args.get("text", "")[:200].replace("\0", ""),
        min(int(before), SEQUENCE_LIMIT) if before.isascii() and before.isdigit() else 0,
    )


def _trail(site: Site, limit: int) -> Trail:
    filters, say = _filters(), site.say()
    rooms = tuple(row.room for row in site.ports.facts().rooms)
    chosen = rooms if not filters.room else (filters.room,)
    acted = filters.kind == "action"
    kind = "decision" if acted else filters.kind
    kinds = (f"roomkeeper.{kind}",) if kind else ()
    before = filters.before if filters.room else 0
    wish = Search(chosen, kinds, filters.text, before, limit, acted)
    try:
        found, trouble = site.ports.looks.search(wish), ""
    except StoreError as error:
        found, trouble = (), str(error)[:300]
    older = found[-1].sequence if filters.room and len(found) == limit else 0
    rows = tuple(trail_row(row, say) for row in found)
    return Trail(filters, rooms, KINDS, rows, older, trouble)


def _row(site: Site, room: str, sequence: int) -> Answer:
    looks = site.ports.looks
    found = looks.row(room, sequence)
    if found is None:
        return site.page("error.html", 404, code=404, what="This row is not stored.")
    ident = cause_of(found)
    cause = looks.near(room, sequence, ident) if ident else None
    later = looks.after(room, sequence, sequence + LATER, LATER)
    told = why(found, cause, later, site.say())
    first = overview(site.ports.facts(), site.say())
    return site.page("why.html", w=told, page="audit", o=first, nav=_nav(first))


def _export(site: Site, name: str) -> Answer:
    if name not in csvfile.TABLES:
        return site.page("error.html", 404, code=404, what="There is no such table.")
    if name == "audit":
        found = _trail(site, EXPORTED)
        if found.trouble:
            return site.page("error.html", 503, code=503, what=found.trouble)
        text = csvfile.audit(found.rows)
    else:
        text = csvfile.table(name, site.ports.facts(), site.say())
    return Response(
        text,
        mimetype="text/csv",
        headers={"Content-Disposition": f'attachment; filename="roomkeeper-{name}.csv"'},
    )


def _events(site: Site) -> Answer:
    page = request.args.get("page", "")
    if page not in PARTS or not site.guard.from_here(request):
        return Response(status=403)
    if not site.seats.take():
        return Response(status=503, headers={"Retry-After": "5"})
    draw = _drawer(site, page)
    stream = Stream(
        draw, site.ports.pulse, site.seats, site.theme.stamp, open_for=_reader_stays(site)
    )
    return Response(stream, mimetype="text/event-stream", direct_passthrough=True)


def _drawer(site: Site, page: str) -> Callable[[], dict[str, str]]:
    """Return what draws the parts that changed, in the request's own context."""
    context = request.environ
    app, user = site.app, g.user
    before: dict[str, str] = {}
    token = site.token()

    def draw() -> dict[str, str]:
        with app.request_context(context):
            g.user = user
            known = values(site, page)
            drawn = {
                part: site.draw(f"parts/{part}.html", token=token, **known) for part in PARTS[page]
            }
        changed = {part: html for part, html in drawn.items() if before.get(part) != html}
        before.update(changed)
        return changed

    return draw


def _reader_stays(site: Site) -> Callable[[], bool]:
    """Return what tells whether the reader is still signed in, asking the store now and then."""
    digest = passwords.digest(site.secret())
    ports = site.ports
    asked = ports.mono()

    def stays() -> bool:
        nonlocal asked
        if ports.mono() - asked < CHECK_S:
            return True
        asked = ports.mono()
        try:
            return ports.users.holder(digest, ports.wall()) is not None
        except StoreError:
            return True

    return stays
