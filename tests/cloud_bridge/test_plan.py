"""Every state of a machine against every event that can meet it."""

from math import inf

import msgspec
import pytest

from cloud_bridge.plan import MAX_ATTEMPTS, RETRY_CAP_S, failed, plan
from cloud_bridge.types import (
    Attempt,
    Capacity,
    Create,
    Delete,
    Forget,
    GiveUp,
    Machine,
    Plan,
    Records,
    Renew,
    Wanted,
)
from edge.contracts.base import Now
from tests.cloud_bridge.cases import (
    BIG,
    CAPACITY,
    SMALL,
    T0,
    TEMPLATES,
    machine,
    now,
    row,
    wanted,
)

NOTHING = Wanted(frozenset(), ())


def ask(
    wants: Wanted,
    at: float | Now,
    *machines: Machine,
    attempts: tuple[Attempt, ...] = (),
    capacity: Capacity = CAPACITY,
) -> Plan:
    instant = at if isinstance(at, Now) else now(at)
    return plan(wants, machines, Records(attempts), TEMPLATES, capacity, instant)


def create(key: str = "k", rooms: tuple[str, ...] = ("a",), end: float = 2000) -> Create:
    return Create(key, f"m-{key}", rooms, SMALL, T0 + end)


UNWANTED = Delete("k", "no meeting wants it any more")
OVER = Delete("k", "its lease and grace are over")
DIED = Delete("k", "it ended by itself", True)
STUCK = Delete("k", "no answer within 30 s", True)
REPLACED = Delete("k", "big is wanted instead")

EVENTS = {
    "wanted": (wanted(row()), 710),
    "wanted, in the meeting": (wanted(row()), 1500),
    "end moved": (wanted(row(end=2600)), 710),
    "shortened": (wanted(row(end=1800)), 1500),
    "cancelled": (wanted(), 710),
    "its room not heard of": (Wanted(frozenset({"b"}), ()), 1500),
    "not heard of, lease over": (NOTHING, 2060),
    "in grace": (wanted(row()), 2059),
    "grace over": (wanted(row()), 2060),
    "other template before the start": (wanted(row(template="big")), 710),
    "other template in the meeting": (wanted(row(template="big")), 1500),
    "boot time over": (wanted(row()), 730),
}

TABLE = {
    # event: (absent, booting, ready, dead)
    "wanted": (create(), None, None, DIED),
    "wanted, in the meeting": (create(), STUCK, None, DIED),
    "end moved": (create(end=2600), Renew("k", T0 + 2600), Renew("k", T0 + 2600), DIED),
    "shortened": (create(end=1800), STUCK, Renew("k", T0 + 1800), DIED),
    "cancelled": (None, UNWANTED, UNWANTED, UNWANTED),
    "its room not heard of": (None, STUCK, None, DIED),
    "not heard of, lease over": (None, OVER, OVER, OVER),
    "in grace": (None, STUCK, None, DIED),
    "grace over": (None, OVER, OVER, OVER),
    "other template before the start": (
        Create("k", "m-k", ("a",), BIG, T0 + 2000),
        REPLACED,
        REPLACED,
        DIED,
    ),
    "other template in the meeting": (
        Create("k", "m-k", ("a",), BIG, T0 + 2000),
        STUCK,
        None,
        DIED,
    ),
    "boot time over": (create(), STUCK, None, DIED),
}


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("state", ["absent", "booting", "ready", "dead", "creating", "ending"])
def test_every_state_meets_every_event(state: str, event: str) -> None:
    wants, at = EVENTS[event]
    machines = [] if state == "absent" else [machine(phase=state)]
    column = ["absent", "booting", "ready", "dead"]
    # What is under way is waited for; the next plan decides.
    expected = TABLE[event][column.index(state)] if state in column else None
    assert ask(wants, at, *machines).actions == (() if expected is None else (expected,))


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("state", ["absent", "booting", "ready", "dead"])
def test_without_a_trusted_clock_nothing_is_created_or_deleted(state: str, event: str) -> None:
    wants, at = EVENTS[event]
    machines = [] if state == "absent" else [machine(phase=state)]
    actions = ask(wants, now(at, trusted=False), *machines).actions
    assert all(isinstance(action, Renew) for action in actions)


def test_the_table_names_every_event() -> None:
    assert TABLE.keys() == EVENTS.keys()


def test_a_machine_is_begun_its_lead_before_the_meeting_and_not_earlier() -> None:
    early = ask(wanted(row()), 699)
    assert early.actions == ()
    assert early.next_due == T0 + 700
    assert [s.phase for s in early.standings] == ["wanted"]
    due = ask(wanted(row()), 700)
    assert due.actions == (create(),)
    assert [s.phase for s in due.standings] == ["creating"]


def test_what_a_meeting_asks_for_earlier_than_its_template_is_begun_earlier() -> None:
    longer = msgspec.structs.replace(row(), lead_s=900.0)
    both = Wanted(frozenset("ab"), (("a", row()), ("b", longer)))
    for early in (wanted(longer), both):
        assert ask(early, 99).next_due == T0 + 100
        assert len(ask(early, 100).actions) == 1
    shorter = msgspec.structs.replace(row(), lead_s=10.0)
    assert ask(wanted(shorter), 699).next_due == T0 + 700


def test_the_same_key_in_two_rooms_is_one_machine_with_the_latest_end() -> None:
    both = Wanted(frozenset("ab"), (("b", row(start=1100, end=3000)), ("a", row())))
    assert ask(both, 700).actions == (create(rooms=("a", "b"), end=3000),)
    held = ask(both, 1500, machine(rooms=("a", "b")))
    assert held.actions == (Renew("k", T0 + 3000),)
    assert {(s.room, s.phase, s.until) for s in held.standings} == {
        ("a", "ready", T0 + 3000),
        ("b", "ready", T0 + 3000),
    }


def test_a_row_told_twice_by_one_room_counts_once() -> None:
    twice = ask(wanted(row(), row(end=2500)), 700)
    assert twice.actions == (create(end=2500),)
    assert len(twice.standings) == 1


def test_one_room_cancels_and_the_other_keeps_the_machine() -> None:
    one = Wanted(frozenset("ab"), (("b", row()),))
    assert ask(one, 1500, machine(rooms=("a", "b"))).actions == ()


def test_a_lease_is_not_shortened_while_one_of_its_rooms_is_silent() -> None:
    short = wanted(row(end=1600))
    assert ask(short, 1500, machine(rooms=("a", "silent"))).actions == ()
    assert ask(short, 1500, machine(rooms=("a",))).actions == (Renew("k", T0 + 1600),)


def test_nothing_untagged_is_touched_even_under_a_wanted_key() -> None:
    stranger = machine(ours=False)
    assert ask(wanted(), 1500, stranger).actions == ()
    assert ask(wanted(row()), 1500, stranger).actions == (create(),)


def test_boots_at_once_are_bounded_and_the_earliest_start_goes_first() -> None:
    rows = [row("late", 1003), row("first", 1000), row("third", 1002), row("second", 1001)]
    planned = ask(wanted(*rows), 800)
    assert [a.key for a in planned.actions] == ["first", "second"]  # type: ignore[union-attr]
    waiting = {s.key: s.detail for s in planned.standings if s.phase == "wanted"}
    assert waiting.keys() == {"late", "third"}
    assert "another machine" in waiting["late"]
    assert (
        ask(wanted(row("next")), 800, machine("x", "booting"), machine("y", "creating")).actions[1:]
        == ()
    )


def test_memory_is_never_exceeded_and_the_refusal_says_how_much_is_missing() -> None:
    rows = wanted(row("k"), row("n", template="big"))
    planned = ask(rows, 800, machine(), capacity=Capacity(600, 2))
    assert planned.actions == ()
    refused = next(s for s in planned.standings if s.key == "n")
    assert refused.phase == "refused"
    assert refused.detail == "needs 512 MiB, 472 of 600 MiB are free"


def test_an_unknown_template_is_refused_with_the_known_ones() -> None:
    standing = ask(wanted(row(template="huge")), 800).standings[0]
    assert standing.phase == "refused"
    assert standing.detail == "no template 'huge'; known: big, small"
    empty = plan(wanted(row()), (), Records(), {}, CAPACITY, now(800)).standings[0]
    assert empty.detail == "no template 'small'; known: none"


def test_a_machine_whose_template_left_the_configuration_lives_on() -> None:
    kept = plan(wanted(row()), (machine(),), Records(), {}, CAPACITY, now(1500))
    assert kept.actions == ()


def test_a_failed_attempt_waits_then_is_tried_again_then_given_up() -> None:
    once = failed(None, "k", "no space", now(800))
    waiting = ask(wanted(row()), 800, attempts=(once,))
    assert waiting.actions == ()
    assert waiting.next_due == once.not_before
    assert waiting.standings[0].detail == "tried again soon: no space"
    assert ask(wanted(row()), once.not_before - T0, attempts=(once,)).actions == (create(),)
    last = once
    while last.attempts < MAX_ATTEMPTS:
        last = failed(last, "k", "no space", now(800))
    given_up = ask(wanted(row()), 1500, attempts=(last,))
    reason = "given up after 5 attempts: no space"
    assert given_up.actions == (GiveUp("k", reason),)
    assert given_up.standings[0].phase == "failed"
    dead = Attempt("k", 5, 0, True, reason)
    assert ask(wanted(row()), 1500, attempts=(dead,)).actions == ()
    assert ask(wanted(row()), 1500, attempts=(dead,)).standings[0].detail == reason


def test_waits_double_up_to_a_cap_and_differ_between_keys() -> None:
    row_, waits = None, []
    for _ in range(12):
        row_ = failed(row_, "k", "no", now(0))
        waits.append(row_.not_before - T0)
    assert waits[1] == pytest.approx(2 * waits[0])
    assert max(waits) <= RETRY_CAP_S
    assert len({failed(None, key, "no", now(0)).not_before for key in "abcdef"}) == 6


def test_attempts_nobody_needs_are_forgotten() -> None:
    stale = Attempt("gone", 2, 0)
    assert ask(wanted(), 0, attempts=(stale,)).actions == (Forget("gone"),)
    assert ask(wanted(row("gone")), 0, attempts=(stale,)).actions == ()
    held = ask(Wanted(frozenset(), ()), 1500, machine("gone"), attempts=(stale,))
    assert held.actions == ()


def test_a_meeting_that_is_over_is_neither_begun_nor_shown() -> None:
    assert ask(wanted(row()), 2000) == Plan((), (), inf)


def test_the_next_instant_is_the_end_of_the_boot_time_then_of_the_grace() -> None:
    assert ask(wanted(row()), 710, machine(phase="booting")).next_due == T0 + 730
    assert ask(wanted(row()), 1500, machine()).next_due == T0 + 2060
    assert ask(NOTHING, 0).next_due == inf


def test_a_machine_nobody_wants_is_shown_ending_to_its_rooms() -> None:
    planned = ask(wanted(), 1500, machine(rooms=("a", "a")))
    assert [(s.room, s.phase, s.address) for s in planned.standings] == [("a", "ending", "")]
    untrusted = ask(wanted(), now(1500, trusted=False), machine())
    assert "trusted clock" in untrusted.standings[0].detail


def test_only_a_ready_machine_shows_its_address() -> None:
    assert ask(wanted(row()), 1500, machine()).standings[0].address == "127.0.0.1:1"
    assert ask(wanted(row()), 710, machine(phase="booting")).standings[0].address == ""
