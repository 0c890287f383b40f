"""Another build in a recorded day: what only it hears, forgets, breaks, or lets lapse."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import msgspec
import pytest

from edge.contracts.base import Now, Value
from edge.contracts.signals import (
    ClockChecked,
    DeviceReported,
    MotionChanged,
    OperatorAsked,
    Signal,
    encode_signal,
)
from edge.decide.core import CoreState
from edge.plugins.install import InstalledPlugin
from edge.replay import encode_boot
from edge.workshop.report import Report
from edge.workshop.stage import Stage, settings
from edge.workshop.trial import Trial, read_plugin
from edge.workshop.whatif import Answers, WhatIf
from tests.plugins.guests import component, guest
from tests.world.places import ROOT

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Row:
    kind: str
    id: str
    now: Now
    body: bytes | None


class Recorder(Stage):
    """A room that keeps what it heard."""

    def _step(self, signal):  # type: ignore[no-untyped-def]
        row = Row("signal", f"stage-1-{self._sequence + 1}", self.now, encode_signal(signal))
        self.__dict__.setdefault("rows", []).append(row)
        return super()._step(signal)


@cache
def lights() -> InstalledPlugin:
    plugin = read_plugin(ROOT / "wasm_modules" / "lights")
    return replace(plugin, settings={**plugin.settings, "fade_s": 0.0})


@cache
def morning() -> tuple[Row, ...]:
    """A recorded morning with the lights plugin: somebody looks in, a meeting begins."""
    trial = Trial(lights())
    try:
        room = Recorder(trial, 8.5)
        begun = Row("boot", "stage-1", room.now, encode_boot(settings(lights()), CoreState()))
        for _ in room.advance(9.1):
            pass
        return (begun, *room.__dict__["rows"])
    finally:
        trial.close()


def relive(
    plugin: InstalledPlugin, chosen: Mapping[str, Value] | None = None, rows: tuple[Row, ...] = ()
) -> tuple[Report, list[Answers], WhatIf]:
    trial = Trial(plugin)
    report, answers = Report(), []
    try:
        run = WhatIf(trial, chosen or {})
        for found in run.run(rows or morning()):
            report.take(found)
            if isinstance(found, Answers):
                answers.append(found)
    finally:
        trial.close()
    return report, answers, run


def test_the_same_build_changes_nothing() -> None:
    report, answers, _ = relive(lights())
    assert report.same
    assert report.worded_otherwise == 0
    assert report.otherwise == {}
    assert len(answers) > 100
    assert report.seconds > 2000


def test_a_lease_that_is_too_short_lapses_between_two_ticks() -> None:
    report, _, _ = relive(lights(), {"lease_s": 10.0})
    # Nobody woke the recorded room then: the other one is woken of its own.
    assert any("after Woke" in effect and "light.main = 0" in effect for effect in report.effects)
    assert 200 < report.otherwise["light.main"] < report.seconds


def test_devices_follow_the_other_room_and_are_not_taken_for_hands() -> None:
    report, _, _ = relive(lights(), {"default_level": 40.0})
    assert report.decided_otherwise > 0
    assert not any("set at the device" in effect for effect in report.effects)


def test_a_real_hand_at_the_device_stays_a_hand() -> None:
    last = morning()[-1].now
    steps = [(number, Now(last.wall + number, last.mono + number)) for number in (60, 61, 62)]
    body = encode_signal(DeviceReported("mqtt", "light.main", 12))
    hands = [Row("signal", f"hand-{number}", now, body) for number, now in steps]
    _, _, run = relive(lights(), {"default_level": 40.0}, (*morning(), *hands))
    for room in (run.was, run.would):
        assert room.state.given["light.main"].value == 12
        assert room.state.given["light.main"].reason == "set at the device"


def test_a_build_that_hears_more_is_asked_at_once() -> None:
    plugin = lights()
    less = replace(
        plugin, manifest=msgspec.structs.replace(plugin.manifest, events=("presence", "meeting"))
    )
    fewer, _, _ = relive(less)
    recorded = sum(len(a.events) for a in relive(plugin)[1])
    assert fewer.events < recorded
    more = ("tick", "presence", "meeting", "intent", "reading", "sound", "device", "contact")
    eager = replace(plugin, manifest=msgspec.structs.replace(plugin.manifest, events=more))
    _, answers, _ = relive(eager)
    heard = {event.kind for answer in answers for event in answer.events}
    assert {"sound", "device"} <= heard
    assert any(answer.old is None for answer in answers)


def test_in_a_crowd_a_build_is_asked_once_the_recording_decides() -> None:
    base = settings(lights())
    deaf = {name: replace(rules, events=(), tick_s=1e6) for name, rules in base.plugins.items()}
    base = replace(base, plugins=deaf)
    instants = [Now(1.78e9 + number, 100.0 + number, True) for number in range(4)]
    crowd = [MotionChanged(f"node:{name}", True, name != "c") for name in "abc"]
    rows = [Row("boot", "b-1", instants[0], encode_boot(base, CoreState()))]
    rows += [
        Row("signal", f"b-1-{number}", instants[number], encode_signal(signal))
        for number, signal in enumerate((ClockChecked("clock", True), *crowd))
    ]
    trial = Trial(lights())
    run, answered = WhatIf(trial, {}), 0
    for found in run.run(rows):
        assert run.would.state.undecided is None
        answered += isinstance(found, Answers)
    trial.close()
    assert answered
    assert run.would.state.room.presence.occupied


def test_a_build_that_hears_more_is_asked_at_the_motion_it_hears() -> None:
    base = settings(lights())
    deaf = {name: replace(rules, events=(), tick_s=1e6) for name, rules in base.plugins.items()}
    base = replace(base, plugins=deaf)
    signals = (
        ClockChecked("clock", True),
        MotionChanged("node:a", True, with_answer=True),
        ClockChecked("clock", True),
    )
    instants = [Now(1.78e9 + at, 100.0 + at, True) for at in (1, 2, 5)]
    rows = [Row("boot", "b-1", Now(1.78e9, 100.0, True), encode_boot(base, CoreState()))]
    rows += [
        Row("signal", f"b-1-{number}", now, encode_signal(signal))
        for number, (signal, now) in enumerate(zip(signals, instants, strict=True))
    ]
    trial = Trial(lights())
    found = list(WhatIf(trial, {}).run(rows))
    trial.close()
    asked = [one.now for one in found if isinstance(one, Answers)]
    decided = [one.now for one in found if not isinstance(one, Answers)]
    assert instants[1] in asked
    assert instants[1] in decided
    assert set(decided) <= set(instants)


def test_a_build_that_fails_is_said_and_the_schedule_takes_over() -> None:
    broken = guest(component(body="unreachable", name="lights"), "lights")
    report, answers, _ = relive(broken)
    assert report.failed == report.events > 0
    assert all("unreachable" in answer.failed for answer in answers)
    assert any("+ light.main stays at 0" in effect for effect in report.effects)


def test_people_win_in_both_rooms() -> None:
    last = morning()[-1].now
    wish: Signal = OperatorAsked("panel", "set", actuator="light.main", value=100, seconds=600.0)
    row = Row("signal", "wish-1", last, encode_signal(wish))
    _, _, run = relive(lights(), {"default_level": 40.0}, (*morning(), row))
    for room in (run.was, run.would):
        assert room.state.given["light.main"].value == 100


def test_rows_whose_payload_is_gone_are_passed_over() -> None:
    rows = [replace(row, body=None) if index % 7 == 6 else row
            for index, row in enumerate(morning())]  # fmt: skip
    report, _, _ = relive(lights(), rows=tuple(rows))
    assert report.decisions > 0
