"""What rooms are told: only what changed, and that a machine is gone."""

from dataclasses import replace

from cloud_bridge.status import GONE_KEPT_S, expected, messages
from cloud_bridge.types import Machine, Standing

READY = Standing("a", "k", "m", "small", "ready", 2000.0, "127.0.0.1:1")


def test_only_rooms_with_a_change_are_told() -> None:
    first = messages([READY, replace(READY, room="b")], {}, 10.0)
    assert set(first) == {"a", "b"}
    assert messages([READY, replace(READY, room="b")], first, 11.0) == {}
    moved = messages([replace(READY, until=3000.0), replace(READY, room="b")], first, 12.0)
    assert set(moved) == {"a"}
    (report,) = moved["a"].machines
    assert (report.until, report.at) == (3000.0, 12.0)


def test_the_report_of_an_unchanged_machine_keeps_its_time() -> None:
    first = messages([READY], {}, 10.0)
    both = messages([READY, replace(READY, key="n")], first, 20.0)
    assert {report.key: report.at for report in both["a"].machines} == {"k": 10.0, "n": 20.0}


def test_a_machine_that_is_no_more_is_gone_for_a_while() -> None:
    first = messages([READY], {}, 10.0)
    gone = messages([], first, 20.0)
    (report,) = gone["a"].machines
    assert (report.phase, report.address, report.at) == ("gone", "", 20.0)
    assert messages([], gone, 19.0 + GONE_KEPT_S) == {}
    assert messages([], gone, 20.0 + GONE_KEPT_S)["a"].machines == ()


def test_a_machine_that_never_was_is_not_gone() -> None:
    for phase in ("wanted", "refused", "failed"):
        first = messages([replace(READY, phase=phase)], {}, 10.0)
        assert messages([], first, 20.0)["a"].machines == ()


def test_a_room_is_told_when_its_machine_is_likely_to_be_ready() -> None:
    machine = Machine("k", "m/", ("aurora",), "small", "booting", 900.0, 100.0, 128)
    others = [replace(machine, key="r", phase="ready"), replace(machine, key="s", ours=False)]
    likely = expected([machine, *others, replace(machine, key="n", template="new")], BOOTS)
    assert likely == {"k": 108.0}
    standings = [
        Standing("aurora", "k", "m/", "small", "booting", 900.0),
        Standing("aurora", "r", "m/", "small", "ready", 900.0),
    ]
    told = messages(standings, {}, 101.0, {**likely, "r": 5.0})["aurora"].machines
    assert [one.expected for one in told] == [108.0, 0.0]
    known = messages(standings, {}, 101.0, likely)
    assert messages(standings, known, 102.0, likely) == {}


BOOTS = {"small": (7.0, 30.0, 8.0)}
