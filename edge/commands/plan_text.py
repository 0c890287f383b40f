"""A plan as people read it: what, when, why, and what they can do about it."""

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from zoneinfo import ZoneInfo

from edge.commands.plan import Denial, Plan
from edge.contracts.decision import Promise
from edge.decide.intents import Intent
from edge.decide.schedule import VM
from edge.rehearsal import Happening

PHASES = {
    "booked": "the booking is known",
    "open": "check-in opens",
    "active": "checked in",
    "ended": "the meeting ends",
    "no_show": "the room is given back",
    "cancelled": "the meeting is cancelled",
    "declined": "the booking is declined",
}
VERBS = {
    "accept": "the invitation is accepted",
    "decline": "the invitation is declined",
    "check_in": "the check-in is noted in the calendar",
    "extend": "the meeting is extended in the calendar",
    "end": "the end is written to the calendar",
    "release": "the room is released in the calendar",
    "book": "the meeting is written to the calendar",
}


def told(plan: Plan, zone: ZoneInfo) -> Iterator[str]:
    """Yield the lines of a plan, in the room's local time."""
    yield from _head(plan, zone)
    yield "\nWhat happens, when people come in time and leave before the end"
    yield from _timeline(plan.steps, plan, zone)
    for title, happenings in (
        ("If nobody comes", plan.nobody), ("If they stay on", plan.longer),
    ):  # fmt: skip
        if happenings:
            yield f"\n{title}"
            yield from _timeline(happenings, plan, zone)
    yield "\nWhat is promised for the start"
    yield from (_promise(promise) for promise in plan.promises)
    if not plan.promises:
        yield (
            "  nothing" if plan.intent.slo.empty else "  it has begun: nothing is measured any more"
        )
    yield "\nWhat would be denied during the meeting"
    yield from (_denial(denial) for denial in plan.denied)
    if not plan.denied:
        yield "  nothing that the room and its plugins can ask for"
    yield "\nWhat a person can undo"
    yield from (f"  {line}" for line in plan.undo)


def _head(plan: Plan, zone: ZoneInfo) -> Iterator[str]:
    begin, end = (datetime.fromtimestamp(at, zone) for at in (plan.start, plan.end))
    minutes = (plan.end - plan.start) / 60
    yield f"{plan.title or plan.uid}, {begin:%A %d %B %Y, %H:%M} to {end:%H:%M} ({minutes:g} min)"
    yield f"in {plan.room}; times are {zone.key}; seen {_clock(plan.at, plan, zone)}"
    for note in plan.notes:
        yield f"  note: {note}"
    yield f"\nIntent: {plan.intent.title} ({plan.intent.name})"
    for name, tag in plan.chosen_by.items():
        yield f"  {name}, as the booking carries {tag}"
    if not plan.chosen_by:
        yield "  no tag of the booking names an intent"
    if plan.intent.parts:
        yield "  together; where two speak of the same thing, the first counts"
    for name, why in plan.left_out.items():
        yield f"  without {name}: {why}"
    yield from _machine(plan, plan.intent, zone)


def _machine(plan: Plan, intent: Intent, zone: ZoneInfo) -> Iterator[str]:
    if not intent.vm:
        return
    lead = intent.vm_lead_s
    ahead = f"at least {lead:g} s ahead" if lead else "as its template says"
    cost = f", about {plan.cost:.2f} for the meeting" if plan.cost else ""
    yield (
        f"  machine {intent.vm}: begun {ahead}{cost}; taken to be ready "
        f"{_clock(plan.machine_ready, plan, zone)}"
    )


def _timeline(happenings: tuple[Happening, ...], plan: Plan, zone: ZoneInfo) -> Iterator[str]:
    for at, group in groupby(happenings, key=lambda one: round(one.at)):
        shown = f"  {_clock(at, plan, zone):<17} {_offset(at - plan.start):>10}"
        for one in group:
            yield f"{shown}  {_line(one)}"
            shown = " " * len(shown)


def _line(one: Happening) -> str:
    let = f"[policy {one.policy}; gate {one.gate}]"
    match one.kind:
        case "meeting" | "calendar":
            line = f"{(PHASES | VERBS).get(one.what, one.what)} ({one.text})".removesuffix(" ()")
        case "person":
            line = one.text
        case "machine" if one.what.startswith(VM):
            line = f"machine {one.value} is asked for  {let}"
        case "machine":
            line = f"machine {one.what} {one.text}"
        case "refused":
            by = f"policy {one.policy}" if one.policy else f"{one.gate}: {one.text}"
            line = f"DENIED {one.source}: {one.what} = {one.value}  [{by}]"
        case _:
            line = f"{one.what} = {one.value}  by {one.source}: {one.text}  {let}"
    return line


def _promise(promise: Promise) -> str:
    mark = {"kept": "can be kept", "missed": "CANNOT be kept", "unknown": "not known before"}
    unit = "" if promise.unit == "%" else " "
    limit = f"{promise.limit:g}{unit}{promise.unit}"
    what = {
        "ready": f"as asked {limit} before the start",
        "machine": f"machine ready {limit} before the start",
        "temperature": f"within {limit} of what is asked",
        "light": f"lights within {limit} of what is asked",
    }.get(promise.name, promise.name)
    spare = ""
    if promise.outcome != "unknown":
        how = "to spare" if promise.outcome == "kept" else "short"
        spare = f", {abs(promise.by):g}{unit}{promise.unit} {how}"
    return f"  {what}: {mark[promise.outcome]}{spare} ({promise.reason})"


def _denial(denial: Denial) -> str:
    values = ", ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in denial.values)
    by = "nothing permits it" if denial.by == "no permit" else f"policy {denial.by}"
    return f"  {denial.who}: {denial.actuator} = {values}  [{by}]"


def _clock(at: float, plan: Plan, zone: ZoneInfo) -> str:
    when, day = (datetime.fromtimestamp(round(t), zone) for t in (at, plan.start))
    return f"{when:%H:%M:%S}" if when.date() == day.date() else f"{when:%d %b %H:%M:%S}"


def _offset(seconds: float) -> str:
    sign, rest = ("-" if seconds < 0 else "+"), abs(round(seconds))
    hours, minutes, left = rest // 3600, rest // 60 % 60, rest % 60
    return f"{sign}{hours}:{minutes:02}:{left:02}"
