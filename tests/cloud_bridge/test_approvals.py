"""Machines that wait for a person's yes: every answer against every moment."""

import pytest

from cloud_bridge.plan import plan
from cloud_bridge.types import (
    Action,
    Approval,
    ApprovalState,
    Ask,
    Capacity,
    Create,
    Delete,
    Lapse,
    Machine,
    Plan,
    Records,
    Template,
)
from tests.cloud_bridge.cases import T0, machine, now, row, wanted

COSTLY = Template("small", 128, lead_s=300, grace_s=60, cost_per_hour=18.0, approve_above=5.0)
CHEAP = Template("small", 128, lead_s=300, grace_s=60, cost_per_hour=18.0, approve_above=5.01)
DEADLINE = T0 + 700


def ask(
    at: float, *approvals: Approval, template: Template = COSTLY, machines: tuple[Machine, ...] = ()
) -> Plan:
    records = Records(approvals=approvals)
    capacity = Capacity(1024, 2)
    return plan(wanted(row()), machines, records, {"small": template}, capacity, now(at))


def answer(state: ApprovalState) -> Approval:
    return Approval("k", state, DEADLINE, "ines", "budget", "small", 5.0)


def test_it_is_asked_once_when_the_meeting_is_booked_and_until_the_machine_would_begin() -> None:
    planned = ask(0)
    assert planned.actions == (Ask("k", DEADLINE, "m-k", "small", 5.0),)
    assert planned.standings[0].detail == "waits for a person's yes"
    again = ask(0, answer("asked"))
    assert again.actions == ()
    assert again.next_due == DEADLINE


def test_what_is_asked_too_late_waits_two_minutes_all_the_same() -> None:
    (action,) = ask(950).actions
    assert isinstance(action, Ask)
    assert action.deadline == T0 + 950 + 120


def test_what_costs_less_is_not_asked() -> None:
    assert ask(0, template=CHEAP).actions == ()
    assert isinstance(ask(700, template=CHEAP).actions[0], Create)


CREATE = Create("k", "m-k", ("a",), COSTLY, T0 + 2000)
TABLE: dict[tuple[ApprovalState, str], tuple[Action | None, str]] = {
    ("asked", "before"): (None, "wanted"),
    ("asked", "due"): (Lapse("k"), "refused"),
    ("granted", "before"): (None, "wanted"),
    ("granted", "due"): (CREATE, "creating"),
    ("denied", "before"): (None, "refused"),
    ("denied", "due"): (None, "refused"),
    ("lapsed", "before"): (None, "refused"),
    ("lapsed", "due"): (None, "refused"),
}


@pytest.mark.parametrize(("state", "moment"), TABLE)
def test_every_answer_at_every_moment(state: ApprovalState, moment: str) -> None:
    planned = ask({"before": 600, "due": 700}[moment], answer(state))
    action, phase = TABLE[state, moment]
    assert planned.actions == (() if action is None else (action,))
    assert planned.standings[0].phase == phase


def test_a_denial_names_who_and_why() -> None:
    assert ask(600, answer("denied")).standings[0].detail == "denied by ines: budget"


def test_a_machine_that_is_denied_while_it_runs_ends() -> None:
    (action,) = ask(1500, answer("denied"), machines=(machine(),)).actions
    assert action == Delete("k", "denied by ines: budget")
    assert ask(1500, answer("granted"), machines=(machine(),)).actions == ()
    assert ask(1500, answer("lapsed"), machines=(machine(),)).actions == ()


@pytest.mark.parametrize("state", ["asked", "granted", "lapsed"])
@pytest.mark.parametrize(
    ("about", "cost", "anew"),
    [("small", 5.0, False), ("small", 9.0, False), ("small", 4.0, True), ("other", 5.0, True)],
)
def test_a_yes_is_for_no_other_template_and_for_nothing_dearer(
    state: ApprovalState, about: str, cost: float, anew: bool
) -> None:
    """The organiser may have changed the meeting since."""
    approval = Approval("k", state, DEADLINE, "ines", "", about, cost)
    asked = [a for a in ask(0, approval).actions if isinstance(a, Ask)]
    assert asked == ([Ask("k", DEADLINE, "m-k", "small", 5.0)] if anew else [])
    (standing,) = ask(0, approval).standings
    assert (standing.detail == "waits for a person's yes") is (anew or state == "asked")
