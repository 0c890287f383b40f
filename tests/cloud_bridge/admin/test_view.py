"""The pages of every state, as people would read them; scenes come through the real ingest."""

import pytest

from cloud_bridge.admin.live import Live, decode_live, fold
from cloud_bridge.admin.machines import machines_view
from cloud_bridge.admin.meetings import meetings_view
from cloud_bridge.admin.say import Say
from cloud_bridge.admin.site import UTC
from cloud_bridge.admin.view import Overview, overview
from cloud_bridge.store.looking import Stored
from edge.contracts.signals import Booted, NodeReading, SourceChanged
from tests.world.office import Office, key_of
from tests.world.office_scenes import DEMO, LAB, SCENES, SPRINT, air, attention, well


def say(office: Office, later: float = 0.0) -> Say:
    return Say(UTC, office.wall + later)


def seen(office: Office, later: float = 0.0) -> Overview:
    return overview(office.follower.facts, say(office, later))


STATES = {
    "loading": ("loading", "unknown", "Reading what is stored", 0, 0),
    "empty": ("empty", "unknown", "No room has reported yet", 0, 0),
    "well": ("ready", "free", "All is well", 3, 0),
    "attention": ("ready", "busy", "7 things need attention", 6, 7),
    "stale": ("stale", "busy", "This page is not up to date", 6, 8),
    "degraded": ("ready", "busy", "2 things need attention", 3, 2),
    "idle": ("ready", "pending", "1 thing needs attention", 3, 1),
}


@pytest.mark.parametrize("scene", SCENES)
def test_every_state_says_what_it_is(office: Office, scene: str) -> None:
    SCENES[scene](office)
    page = seen(office)
    found = page.state, page.tone, page.headline, len(page.rooms), len(page.attention)
    assert found == STATES[scene]
    assert all(one.todo and one.what for one in page.attention)


def test_what_is_urgent_comes_first(office: Office) -> None:
    attention(office)
    told = [(one.where, one.what) for one in seen(office).attention]
    assert told[0] == ("dune", "The room is offline")
    assert told[1][0] == "birch"
    assert "given up after 5 attempts: the guest did not answer" in told[1][1]
    assert told[-2:] == [
        ("Messages", "1 message could not be read"),
        ("birch", "Room's broker is degraded (reconnecting)"),
    ]


def test_the_rooms_are_as_they_are(office: Office) -> None:
    attention(office)
    rooms = {room.name: room for room in seen(office).rooms}
    assert {name: (room.state, room.word) for name, room in rooms.items()} == {
        "aurora": ("ok", "In use"),
        "birch": ("degraded", "In use"),
        "cedar": ("ok", "Reserved"),
        "dune": ("offline", "Offline"),
        "elm": ("stale", "Occupied"),
        "fjord": ("degraded", "Free"),
    }
    figures = {one.name: (one.value, one.tone) for one in rooms["birch"].figures}
    assert figures == {
        "people": ("7", "ok"),
        "temperature": ("24.6", "ok"),
        "co2": ("1480", "poor"),
    }
    assert {one.tone for one in rooms["dune"].figures} == {"stale"}
    assert rooms["aurora"].meeting.startswith("Live demo for Northwind, until")


def test_a_silent_room_and_an_unread_store_become_stale_by_themselves(office: Office) -> None:
    well(office)
    assert seen(office, 14).state == "ready"
    assert seen(office, 16).state == "stale"
    assert {room.state for room in seen(office, 301).rooms} == {"stale"}


def test_a_meeting_stands_with_its_machine_and_its_steps(office: Office) -> None:
    well(office)
    view = meetings_view(office.follower.facts, say(office))
    demo = next(one for one in view.current if one.title == DEMO.title)
    assert (demo.room, demo.word) == ("aurora", "Under way")
    assert demo.machine is not None
    states = [(step.name, step.state) for step in demo.machine.steps]
    done = [(name, "done") for name in ("wanted", "creating", "booting", "ready")]
    assert states == [*done, ("ending", "todo"), ("gone", "todo")]
    times = [step.at for step in demo.machine.steps]
    assert times[:4] == sorted(times[:4])
    assert "\u2013" not in times[:4]
    assert [one.title for one in view.past] == ["Stand-up"]
    assert any(one.title == "Private meeting" for one in view.current)


def test_a_machine_that_is_gone_keeps_its_steps(office: Office) -> None:
    well(office)
    office.pass_time(3600)
    aurora = office.tenant("aurora")
    aurora.want()
    for phase in ("ending", "gone"):
        office.pass_time(2)
        aurora.machine(DEMO, phase)
    aurora.reports.clear()
    office.pass_time(700)
    office.machines.set_report(_silence(office))
    office.read()
    view = machines_view(office.follower.facts, say(office))
    gone = next(one for one in view.past if one.key == key_of(DEMO))
    assert {step.state for step in gone.steps} == {"done"}
    assert all(step.at != "\u2013" for step in gone.steps)


def _silence(office: Office):
    from edge.contracts.wire import MachinesMessage

    return MachinesMessage("aurora", office.wall)


def test_a_machine_late_for_its_meeting_is_told(office: Office) -> None:
    birch = office.tenant("birch").online()
    birch.want(LAB)
    birch.machine(LAB, "booting")
    office.read()
    told = [one.what for one in seen(office).attention]
    assert told == ["A machine is late for its meeting"]


def test_a_given_up_machine_can_begin_anew(office: Office) -> None:
    attention(office)
    first = machines_view(office.follower.facts, say(office)).running[0]
    assert (first.word, first.retry, first.attempts) == ("Given up", True, 5)
    assert office.machines.forget_attempts(first.key)
    office.read()
    view = machines_view(office.follower.facts, say(office))
    assert not any(one.retry for one in view.running)


def test_a_given_up_machine_is_abandoned_by_a_person_and_may_still_begin_anew(
    office: Office,
) -> None:
    attention(office)
    key = machines_view(office.follower.facts, say(office)).running[0].key
    assert not office.machines.abandon("another", "ada", "")
    assert office.machines.abandon(key, "ada", "the meeting takes place without it")
    office.read()
    facts = office.follower.facts
    (one,) = [each for each in machines_view(facts, say(office)).running if each.key == key]
    assert (one.word, one.abandoned, one.retry) == ("Abandoned", True, True)
    assert one.detail == "abandoned by ada: the meeting takes place without it"
    assert not any(key in (matter.href or "") for matter in seen(office).attention)
    assert office.machines.forget_attempts(key)
    assert not office.machines.abandon(key, "ada", "")


def test_the_fold_goes_on_where_it_stopped_and_reads_nothing_twice(office: Office) -> None:
    well(office)
    office.mono += 60
    office.read()
    kept = decode_live(office.looks.live()["aurora"])
    assert kept is not None
    rows = office.looks.after("aurora", 0, kept.sequence, 10_000)
    again = Live("aurora")
    for row in rows:
        again = fold(again, row)
    assert again == kept
    read: list[int] = []
    real = office.looks.after
    office.looks.after = lambda *a: (read.append(a[1]), real(*a))[1]  # type: ignore[assignment]
    office.read()
    assert read == []
    air(office.tenant("aurora"), 2)
    office.read()
    assert read == [kept.sequence]


def test_rows_behind_a_gap_wait(office: Office) -> None:
    cedar = office.tenant("cedar").online()
    cedar.calendar(SPRINT)
    office.read()
    cedar.sequence += 1
    air(cedar, 5)
    office.read()
    (live,) = office.follower.facts.live
    assert live.count == 0


def test_a_room_that_starts_again_forgets_what_was_wrong(office: Office) -> None:
    cedar = office.tenant("cedar").online()
    cedar.say(SourceChanged("camera", "lost", "unplugged"), NodeReading("n", "co2", 600))
    office.read()
    assert seen(office).attention[0].what == "Camera is lost (unplugged)"
    cedar.say(Booted("loop", 2, "hash"))
    office.read()
    assert seen(office).attention == ()


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"\xff\xfe", b"null", b'{"data":' + b"[" * 5000],
)
def test_an_unreadable_row_changes_nothing_but_is_counted(body: bytes) -> None:
    live = fold(Live("a"), Stored("a", 1, "x", "roomkeeper.signal", 5.0, body))
    assert (live.sequence, live.skipped, live.occupied) == (1, 1, None)


def test_the_page_recovers_when_the_store_answers_again(office: Office) -> None:
    SCENES["stale"](office)
    assert seen(office).state == "stale"
    del office.looks.rooms
    office.read()
    assert seen(office).state == "ready"
