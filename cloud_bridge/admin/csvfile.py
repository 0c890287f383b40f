"""Tables as CSV that a spreadsheet shows and never runs. Pure."""

import csv
import io
from collections.abc import Iterable, Sequence

from cloud_bridge.admin.attention import attention
from cloud_bridge.admin.facts import Facts
from cloud_bridge.admin.machines import machines
from cloud_bridge.admin.meetings import meetings_view
from cloud_bridge.admin.questions import questions_view
from cloud_bridge.admin.say import Say
from cloud_bridge.admin.trail import TrailRow
from cloud_bridge.admin.view import overview

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
TABLES = ("attention", "rooms", "meetings", "machines", "answers", "audit")


def write(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return RFC 4180 text; a cell that a spreadsheet would run is led by an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(head)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def _cell(value: object) -> str:
    text = str(value).replace("\0", "")
    return f"'{text}" if text.startswith(FORMULA) else text


def table(name: str, facts: Facts, say: Say) -> str:
    """Return one of the live tables; raise KeyError for another name."""
    tables = {
        "attention": _attention,
        "rooms": _rooms,
        "meetings": _meetings,
        "machines": _machines,
        "answers": _answers,
    }
    return tables[name](facts, say)


def audit(rows: Iterable[TrailRow]) -> str:
    """Return rows of the trail."""
    head = ("room", "sequence", "time", "kind", "id", "what", "reason", "word")
    return write(
        head,
        ((r.room, r.sequence, r.iso, r.kind, r.id, r.what, r.reason, r.word) for r in rows),
    )


def _attention(facts: Facts, say: Say) -> str:
    found = sorted(attention(facts, say), key=lambda one: (one.rank, one.since))
    head = ("rank", "where", "what", "to do", "since")
    return write(head, ((o.rank, o.where, o.what, o.todo, say.iso(o.since)) for o in found))


def _rooms(facts: Facts, say: Say) -> str:
    head = ("room", "state", "word", "meeting", "people", "temperature", "co2", "heard")
    rows = (
        (
            room.name,
            room.state,
            room.word,
            room.meeting,
            *(f.value for f in room.figures),
            room.heard,
        )
        for room in overview(facts, say).rooms
    )
    return write(head, rows)


def _meetings(facts: Facts, say: Say) -> str:
    view = meetings_view(facts, say)
    head = ("room", "start", "title", "organiser", "phase", "machine", "machine phase")
    rows = (
        (
            one.room, say.iso(one.start), one.title, one.organiser, one.phase,
            one.machine.key if one.machine else "", one.machine.phase if one.machine else "",
        )
        for one in (*view.current, *view.past)
    )  # fmt: skip
    return write(head, rows)


def _machines(facts: Facts, say: Say) -> str:
    head = (
        "key",
        "rooms",
        "meeting",
        "template",
        "phase",
        "address",
        "until",
        "detail",
        "attempts",
        "cpu",
        "memory",
        "network",
        "cost so far",
        "idle",
    )
    rows = (
        (
            m.key, m.rooms, m.meeting, m.template, m.phase, m.address, m.until, m.detail,
            m.attempts, m.usage.cpu, m.usage.memory, m.usage.network, m.usage.cost, m.usage.idle,
        )
        for m in machines(facts, say)
    )  # fmt: skip
    return write(head, rows)


def _answers(facts: Facts, say: Say) -> str:
    view = questions_view(facts, say)
    head = (
        "key",
        "rooms",
        "meeting",
        "template",
        "cost",
        "asked",
        "state",
        "answered",
        "who",
        "why",
    )
    rows = (
        (q.key, q.rooms, q.meeting, q.template, q.cost, q.asked, q.word, q.answered, q.who, q.why)
        for q in (*view.waiting, *view.answered)
    )
    return write(head, rows)
