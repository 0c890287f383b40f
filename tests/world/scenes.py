"""Every state a panel can show, brought about by real signals."""

import msgspec

from edge.contracts.base import machine_key
from edge.contracts.signals import (
    ClockChecked,
    DeviceReported,
    MachineChanged,
    MotionChanged,
    NodeReading,
    OperatorAsked,
    PeopleCounted,
    PluginFailed,
    SoundMeasured,
    SourceChanged,
)
from edge.contracts.wire import MachinePhase, MachineReport
from tests.world.door import Door, Scene, meeting

DAY = (
    meeting("early", -250, 60, title="Stand-up"),
    meeting("late", -130, 90, title="Customer review", organiser="Jonas Weber"),
    meeting("design", 108, 60, title="Design critique", organiser="Aiko Tan"),
    meeting("board", 228, 120, private=True),
)
LIVE = meeting("live", -12, 60, title="Live demo for Northwind", categories=("demo",))


def air(door: Door, people: int = 4, co2: float = 720.0, level: float = -32.0) -> None:
    """The room's sensors, all well."""
    door.say(
        PeopleCounted("camera", people, 0.9),
        NodeReading("node:air", "temperature", 21.6),
        NodeReading("node:air", "co2", co2),
        SoundMeasured("microphone", level, 0.8 if people else 0.0),
        MotionChanged("node:air", people > 0),
    )


def loading(door: Door) -> None:
    door.say(ClockChecked("clock", True))


def clock(door: Door) -> None:
    door.trusted = False
    door.say(ClockChecked("clock", False, "no time server yet"))
    air(door, 2)


def no_calendar(door: Door) -> None:
    door.say(ClockChecked("clock", True), SourceChanged("calendar", "lost", "connection refused"))
    air(door, 0)


def free(door: Door) -> None:
    door.calendar(*DAY)
    air(door, 0, level=-58.0)


def free_all_day(door: Door) -> None:
    door.calendar()
    air(door, 0, 480.0, -61.0)


def people_inside(door: Door) -> None:
    door.calendar(*DAY)
    air(door, 2)


def pending(door: Door) -> None:
    door.calendar(*DAY, meeting("sprint", 6, 45, title="Sprint planning"))
    air(door, 0)


def nobody_came(door: Door) -> None:
    door.calendar(*DAY, meeting("sprint", 1, 45, title="Sprint planning"))
    air(door, 0)
    door.pass_time(60 * 10 + 20, PeopleCounted("camera", 0, 0.0))


def busy(door: Door) -> None:
    door.calendar(*DAY, LIVE)
    air(door)
    machine(door, "ready")


def ending(door: Door) -> None:
    following = meeting("next", 4, 60, title="Quarterly numbers", organiser="Li Wei")
    door.calendar(*DAY, meeting("now", -40, 44, title="Interview"), following)
    air(door, 3, 1180.0)


def stale(door: Door) -> None:
    busy(door)
    door.say(SourceChanged("calendar", "lost", "timed out"))


def degraded(door: Door) -> None:
    busy(door)
    door.pass_time(400, PeopleCounted("camera", 4, 0.9))
    door.say(
        SourceChanged("node:air", "lost", "no message for 300 s"),
        SourceChanged("broker:site", "degraded", "reconnecting"),
        PeopleCounted("camera", 4, 0.9),
    )


def crowded(door: Door) -> None:
    door.calendar(*DAY, LIVE)
    air(door, 11, 1640.0, -14.0)


def private(door: Door) -> None:
    door.calendar(*DAY, meeting("secret", -10, 60, title="Layoffs", private=True))
    air(door, 2)


def no_consent(door: Door) -> None:
    busy(door)
    door.say(OperatorAsked("panel", "consent", value="off"))


def by_hand(door: Door) -> None:
    busy(door)
    door.say(
        OperatorAsked("panel", "set", actuator="light.main", value=35, seconds=3600),
        OperatorAsked("panel", "set", actuator="climate.setpoint", value=22.5, seconds=7200),
    )


def at_device(door: Door) -> None:
    busy(door)
    door.say(DeviceReported("device:light-main", "light.main", 80))
    door.pass_time(30, PeopleCounted("camera", 4, 0.9))
    door.say(DeviceReported("device:light-main", "light.main", 20))
    door.pass_time(2, SoundMeasured("microphone", -32.0, 0.8))


def asks_end(door: Door) -> None:
    busy(door)
    door.say(MotionChanged("node:air", False))
    door.pass_time(300, PeopleCounted("camera", 0, 0.0))


def asks_release(door: Door) -> None:
    door.calendar(*DAY, meeting("sprint", 1, 45, title="Sprint planning"))
    air(door, 0)
    door.pass_time(60 * 11 + 5, PeopleCounted("camera", 0, 0.0))


def paused(door: Door) -> None:
    busy(door)
    door.say(OperatorAsked("panel", "pause", seconds=3600))


def unruly(door: Door) -> None:
    busy(door)
    door.say(
        SourceChanged("policy", "lost", "unexpected token at line 3"),
        SourceChanged("journal", "lost", "the disk is full"),
        SourceChanged("broker:room", "lost", "connection refused"),
        SourceChanged("broker:site", "lost", "connection refused"),
        PluginFailed("plugin:lights", ("e",), "trap", True),
    )


def machine(door: Door, phase: MachinePhase, detail: str = "") -> None:
    key = machine_key(door.settings.organisation, LIVE.uid, LIVE.recurrence_id)
    address = "192.0.2.17:22" if phase == "ready" else ""
    report = MachineReport(key, LIVE.key, "demo-small", phase, door.wall, address, detail=detail)
    door.say(MachineChanged("service", (report,)))


def creating(door: Door) -> None:
    door.calendar(*DAY, LIVE)
    air(door)
    machine(door, "creating")


def booting(door: Door) -> None:
    creating(door)
    machine(door, "booting")


def failed(door: Door) -> None:
    creating(door)
    machine(door, "failed", "no room left on any host; tried 5 times")


def refused(door: Door) -> None:
    creating(door)
    machine(door, "refused", "needs 8192 MiB, 2048 of 16384 MiB are free")
    report = door.loop.state.room.machines[0]
    other = {"smaller": "demo-small", "next_start": door.wall + 168 * 60}
    door.say(MachineChanged("service", (msgspec.structs.replace(report, **other),)))


SCENES: dict[str, Scene] = {
    scene.__name__: scene
    for scene in (
        loading, clock, no_calendar, free, free_all_day, people_inside, pending, nobody_came,
        busy, ending, stale, degraded, crowded, private, no_consent, by_hand, at_device, paused,
        asks_end, asks_release,        unruly, creating, booting, failed,
        refused,
    )
}  # fmt: skip
