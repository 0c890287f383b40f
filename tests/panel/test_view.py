"""The view of every state, as people would read it; scenes are brought about by real signals."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from msgspec import structs

from edge.contracts.base import Now
from edge.contracts.signals import ClockChecked, OperatorAsked, SourceChanged
from edge.decide.modes import BY_NAME
from edge.panel.options import Options
from edge.panel.view import PanelView, view
from edge.panel.words import LANGUAGES, load
from tests.world.door import BERLIN, NOON, OPTIONS, Door, meeting
from tests.world.scenes import LIVE, SCENES, air, busy, creating, free, machine


@pytest.fixture
def door() -> Iterator[Door]:
    with Door() as opened:
        yield opened


def seen(
    door: Door, options: Options = OPTIONS, language: str = "en", ahead: float = 0
) -> PanelView:
    now = Now(door.wall + ahead, door.mono + ahead, door.trusted)
    words = load(language)
    return view(door.loop.state, door.settings, options, words, door.recent.last(120), now)


STATES = {
    "loading": ("loading", "One moment", "Reading the calendar", []),
    "clock": ("unknown", "No time", "The clock is not set yet", []),
    "no_calendar": ("unknown", "Unknown", "The calendar could not be read", ["book"] * 4),
    "free": ("free", "Free", "until 15:00", ["book"] * 5),
    "free_all_day": ("free", "Free", "for the rest of the day", ["book"] * 4),
    "people_inside": ("free", "Free", "until 15:00", ["book"] * 5),
    "pending": ("pending", "Reserved", "from 13:18", ["check_in"]),
    "nobody_came": ("pending", "Reserved", "since 13:13", ["check_in"]),
    "busy": ("busy", "In use", "until 14:00", ["extend", "end"]),
    "asks_end": ("busy", "In use", "until 14:00", ["keep", "end"]),
    "asks_release": ("pending", "Reserved", "since 13:13", ["check_in", "keep", "end"]),
    "ending": ("ending", "Ending", "4 min left", ["end"]),
    "stale": ("busy", "In use", "until 14:00", ["extend", "end"]),
    "private": ("busy", "In use", "until 14:02", ["extend", "end"]),
}


@pytest.mark.parametrize("scene", STATES)
def test_the_plate_says_what_the_room_is_and_what_can_be_done(door: Door, scene: str) -> None:
    SCENES[scene](door)
    shown = seen(door)
    tone, word, detail, verbs = STATES[scene]
    assert (shown.status.tone, shown.status.word, shown.status.detail) == (tone, word, detail)
    assert [action.verb for action in shown.actions] == verbs


HINTS = {
    "people_inside": ("People are inside without a booking", False),
    "pending": ("Please check in", False),
    "nobody_came": ("Freed within a minute: check in now", True),
    "ending": ("The next meeting is waiting", True),
    "free": ("", False),
    "asks_end": (
        "Nobody seems to be here. End the meeting? It stays if nobody answers by 13:17.",
        True,
    ),
    "asks_release": (
        "Nobody seems to have come. Free the room? It stays if nobody answers by 13:25.",
        True,
    ),
}


@pytest.mark.parametrize("scene", HINTS)
def test_the_hint_says_what_is_urgent(door: Door, scene: str) -> None:
    SCENES[scene](door)
    status = seen(door).status
    assert (status.hint, status.urgent) == HINTS[scene]


NOTICES = {
    "clock": [
        "busy: The clock is not confirmed: meetings wait, light and climate follow the people here"
    ],
    "no_calendar": [
        "busy: Calendar not reached since the start. Bookings made here are entered later."
    ],
    "stale": ["busy: Calendar not reached: the day as of 13:12"],
    "degraded": [
        "busy: Sensor board air does not answer (no message for 300 s)",
        "pending: A sense is missing: important steps need two others that agree",
        "pending: Service works in part (reconnecting)",
    ],
    "unruly": [
        "busy: The room cannot keep its records: only the plain schedule acts",
        "busy: The room\u2019s rules cannot be read: only the plain schedule acts",
        "busy: Lights and devices cannot be reached: they stay as they are",
        "pending: Plugin lights was stopped: the plain schedule does its work",
        "pending: The service cannot be reached: the room goes on, machines wait",
    ],
    "paused": ["pending: Automation is paused until 14:12: nothing changes by itself"],
    "crowded": ["pending: 11 people in a room for 8"],
    "busy": [],
}


@pytest.mark.parametrize("scene", NOTICES)
def test_what_is_wrong_is_said_worst_first(door: Door, scene: str) -> None:
    SCENES[scene](door)
    assert [f"{n.tone}: {n.text}" for n in seen(door).notices] == NOTICES[scene]


@pytest.mark.parametrize(
    ("scene", "tones"),
    [
        ("busy", ["ok", "ok", "ok", "ok"]),
        ("loading", ["none", "none", "none", "none"]),
        ("crowded", ["poor", "ok", "poor", "fair"]),
        ("no_consent", ["off", "ok", "ok", "off"]),
        ("degraded", ["ok", "stale", "stale", "stale"]),
    ],
)
def test_every_figure_has_its_verdict(door: Door, scene: str, tones: list[str]) -> None:
    SCENES[scene](door)
    assert [gauge.tone for gauge in seen(door).gauges] == tones


def test_a_figure_grows_old(door: Door) -> None:
    air(door)
    ages = [seen(door, ahead=s).gauges[1] for s in (0, 45, 130, 290, 310, 7300)]
    assert [g.age for g in ages] == [
        "just now", "40 s ago", "2 min ago", "4 min ago", "5 min ago", "2 h ago",
    ]  # fmt: skip
    assert [g.tone for g in ages] == ["ok", "ok", "ok", "ok", "stale", "stale"]


@pytest.mark.parametrize(
    ("phase", "word", "steps"),
    [
        ("wanted", "Asked for", ["now", "todo", "todo", "todo"]),
        ("creating", "In the making", ["done", "now", "todo", "todo"]),
        ("booting", "Starting", ["done", "done", "now", "todo"]),
        ("ready", "Ready", ["done"] * 4),
        ("failed", "Failed", ["failed"] * 4),
        ("refused", "Refused", ["failed"] * 4),
        ("ending", "Shutting down", ["done"] * 4),
    ],
)
def test_the_machine_shows_how_far_it_is(
    door: Door, phase: str, word: str, steps: list[str]
) -> None:
    creating(door)
    machine(door, phase)  # type: ignore[arg-type]
    shown = seen(door).machine
    assert shown is not None
    assert (shown.word, list(shown.steps)) == (word, steps)
    assert (shown.address != "") == (phase == "ready")


def test_a_machine_that_is_only_wanted_is_shown(door: Door) -> None:
    door.calendar(LIVE)
    shown = seen(door).machine
    assert shown is not None
    assert shown.word == "Asked for"
    door.calendar()
    assert seen(door).machine is None


def test_titles_are_shown_as_far_as_the_room_allows(door: Door) -> None:
    door.calendar(meeting("a", -5, title="Secret"), meeting("b", 60, title="Plan", private=True))
    assert (seen(door).now.title, seen(door).now.host) == ("Secret", "Mira Okafor")
    assert (seen(door).next.title, seen(door).next.host) == ("Private meeting", "")
    organiser = seen(door, replace(OPTIONS, titles="organiser"))
    assert (organiser.now.title, organiser.now.host) == ("Mira Okafor", "")
    nothing = seen(door, replace(OPTIONS, titles="none"))
    assert (nothing.now.title, nothing.now.host) == ("Reserved", "")
    shown = [block.spoken for block in nothing.day.blocks]
    assert shown == ["13:07\u201313:37 Reserved", "14:12\u201314:42 Private meeting"]


def test_bookings_end_where_the_next_meeting_begins(door: Door) -> None:
    door.calendar(meeting("next", 40))
    labels = [action.label for action in seen(door).actions]
    assert labels == ["15 min", "30 min", "Until 13:52"]


def test_what_is_set_by_hand_says_for_how_long(door: Door) -> None:
    busy(door)
    assert [c.says for c in seen(door).controls] == ["Automatic", "Automatic"]
    door.say(OperatorAsked("panel", "set", actuator="light.main", value=35, seconds=3600))
    light = seen(door).controls[0]
    assert (light.shown, light.says, light.held) == ("35 %", "By hand until 14:12", True)


def test_what_was_set_at_the_device_says_so_and_is_given_back(door: Door) -> None:
    SCENES["at_device"](door)
    light = seen(door).controls[0]
    assert (light.shown, light.says, light.held) == ("20 %", "At the device until 14:12", True)
    door.say(OperatorAsked("panel", "release", actuator="light.main"))
    assert seen(door).controls[0].says == "Automatic"


def test_a_pause_says_until_when_and_how_to_end_it(door: Door) -> None:
    busy(door)
    assert seen(door).automation.verb == "pause"
    SCENES["paused"](door)
    shown = seen(door)
    assert [c.says for c in shown.controls] == ["Paused until 14:12"] * 2
    assert [c.held for c in shown.controls] == [False, False]
    assert (shown.automation.verb, shown.automation.label) == ("resume", "Resume automation")
    door.say(OperatorAsked("panel", "resume"))
    assert seen(door).controls[0].says == "Automatic"
    assert not seen(door).notices


@pytest.mark.parametrize("mode", BY_NAME)
def test_every_mode_has_a_line_on_the_panel(door: Door, mode: str) -> None:
    busy(door)
    own = {"clock": ClockChecked("clock", False), "calendar": SourceChanged("calendar", "lost")}
    if mode in own:
        door.say(own[mode])
        assert seen(door).notices
        return
    state = structs.replace(door.loop.state, modes=(mode,))
    now = Now(door.wall, door.mono, True)
    for language in LANGUAGES:
        shown = view(state, door.settings, OPTIONS, load(language), [], now)
        assert len(shown.notices) == 1


def test_the_day_knows_summer_time() -> None:
    spring = 1_774_738_800.0  # 29 March 2026, 00:00 in Berlin: a day of 23 hours
    with Door(wall=spring + 6 * 3600) as door:
        door.calendar()
        day = seen(door).day
        assert len(day.ticks) == 22
        assert day.now == pytest.approx(100 * 6 / 23)
        assert [tick.text for tick in day.ticks][:5] == ["", "", "04", "", "06"]


def test_other_languages_and_clocks(door: Door) -> None:
    free(door)
    german = seen(door, language="de")
    assert (german.status.word, german.status.detail) == ("Frei", "bis 15:00")
    assert german.day.name == "Donnerstag, 28. Mai"
    assert german.gauges[1].value == "21,6"
    twelve = Options("Aurora", BERLIN, twelve_hours=True)
    assert (seen(door, twelve).clock, seen(door, twelve).status.detail) == (
        "1:12 pm",
        "until 3:00 pm",
    )


def test_deeds_leave_out_renewals_and_what_people_asked(door: Door) -> None:
    busy(door)
    whats = [deed.what for deed in seen(door).deeds]
    assert whats[:3] == ["Checked the meeting in", "Asked for a machine", "Temperature to 21.0 °C"]
    door.say(OperatorAsked("panel", "set", actuator="light.main", value=10, seconds=3600))
    door.pass_time(900)
    assert [deed.what for deed in seen(door).deeds] == whats


def test_a_calendar_that_comes_back_is_no_longer_noticed(door: Door) -> None:
    SCENES["stale"](door)
    assert seen(door).notices
    door.say(SourceChanged("calendar", "ok"))
    assert not seen(door).notices
    assert door.wall >= NOON
