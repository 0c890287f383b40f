"""Machines that wait for a person's yes, and what persons said. Pure."""

from dataclasses import dataclass

from cloud_bridge.admin.facts import Facts
from cloud_bridge.admin.say import NONE, Say
from cloud_bridge.store.records import OPEN, Question

BADGES: dict[str, tuple[str, str, str]] = {
    "asked": ("pending", "pending", "Waits for a yes"),
    "lapsed": ("fair", "clock", "Nobody answered"),
    "granted": ("ok", "check", "Granted"),
    "denied": ("poor", "off", "Denied"),
}
"""State -> tone, icon, word."""


@dataclass(frozen=True, slots=True)
class QuestionView:
    """One question. open: it may be answered; deadline: when silence counts as a no.

    stamp: tells it from another about the same key, which may stand in its place by the answer.
    """

    key: str
    rooms: str
    meeting: str
    start: str
    template: str
    cost: str
    deadline: str
    asked: str
    answered: str
    state: str
    tone: str
    icon: str
    word: str
    who: str
    why: str
    open: bool
    since: float
    stamp: str


@dataclass(frozen=True, slots=True)
class QuestionsView:
    """waiting: the soonest deadline first; answered: the newest first."""

    waiting: tuple[QuestionView, ...]
    answered: tuple[QuestionView, ...]


def questions_view(facts: Facts, say: Say) -> QuestionsView:
    """Return the open questions and the answers."""
    rooms: dict[str, set[str]] = {}
    titles: dict[str, str] = {}
    starts: dict[str, float] = {}
    for wish in facts.wishes:
        row = wish.machine
        rooms.setdefault(row.key, set()).add(wish.room)
        titles[row.key], starts[row.key] = row.title, row.start
    views = []
    for one in sorted(facts.questions, key=lambda each: each.approval.deadline):
        key = one.approval.key
        # What nobody wants any more needs no answer.
        is_open = one.approval.state in OPEN and key in rooms
        where = ", ".join(sorted(rooms.get(key, ())))
        views.append(_view(one, where, titles.get(key, ""), starts.get(key, 0.0), is_open, say))
    answered = [view for view in views if not view.open]
    answered.sort(key=lambda view: -view.since)
    return QuestionsView(tuple(view for view in views if view.open), tuple(answered))


def _view(
    one: Question, rooms: str, title: str, start: float, is_open: bool, say: Say
) -> QuestionView:
    approval = one.approval
    tone, icon, word = BADGES[approval.state]
    if not is_open and approval.state == "asked":
        tone, icon, word = "off", "off", "Not needed any more"
    return QuestionView(
        key=approval.key,
        rooms=rooms or NONE,
        meeting=title or one.meeting,
        start=say.moment(start),
        template=one.template,
        cost=f"{one.cost:,.2f}",
        deadline=say.moment(approval.deadline),
        asked=say.exact(one.asked),
        answered=say.exact(one.answered),
        state=approval.state,
        tone=tone,
        icon=icon,
        word=word,
        who=approval.who or NONE,
        why=approval.reason or NONE,
        open=is_open,
        since=one.answered or one.asked,
        stamp=repr(one.asked),
    )
