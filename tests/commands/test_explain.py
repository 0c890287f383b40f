"""`roomkeeper-edge intents explain`: the whole plan of a booking, before anything happens."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge.cli import main
from tests.world.ics import calendar, event

ROOT = Path(__file__).parents[2]
START = datetime(2026, 12, 1, 9, 0, tzinfo=UTC).timestamp()
AT = "2026-12-01T08:00"
"""Two hours before it, in Berlin."""


@pytest.fixture
def house(tmp_path):
    """The shipped configuration, with a camera and a microphone; plugins are those that ship."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    (tmp_path / "wasm_modules").symlink_to(ROOT / "wasm_modules")
    room = tmp_path / "config/room.toml"
    text = room.read_text().replace('device = ""', 'device = "0"', 1)
    room.write_text(text.replace('device = ""', 'device = "default"', 1))
    return tmp_path / "config"


@pytest.fixture
def ask(tmp_path, house):
    """A booking's lines (and further events) -> what the command says."""

    def asked(*lines: str, also: tuple[str, ...] = (), options: tuple[str, ...] = (), at: str = AT,
              length: float = 3600.0):  # fmt: skip
        room = house / "room.toml"
        path = tmp_path / "event.ics"
        path.write_text(calendar(event("demo-1", START, START + length, *lines), *also))
        return run(path, "--config", str(room), "--at", at, "--no-plugins", *options)

    return asked


def run(path: Path, *args: str):
    return CliRunner().invoke(main, ["intents", "explain", str(path), *args])


def lines_of(output: str, title: str) -> str:
    return output.split(f"\n{title}", 1)[1].split("\n\n", 1)[0]


def test_the_whole_plan_of_a_meeting_stands_there(ask):
    result = ask("SUMMARY:Product demo #demo", "LOCATION:Aurora")
    assert result.exit_code == 0, result.output
    out = result.output
    assert out.startswith("Product demo #demo, Tuesday 01 December 2026, 10:00 to 11:00 (60 min)")
    assert "live-demo, as the booking carries #demo" in out
    assert "machine demo-small: begun at least 300 s ahead, about 0.05 for the meeting" in out
    plan = lines_of(out, "What happens")
    order = [
        "the booking is known", "the invitation is accepted", "machine demo-small is asked for",
        "check-in opens", "climate.setpoint = 21.0", "machine demo-small is ready",
        "people are noticed", "the room is noticed to be empty", "the meeting ends",
        "light.main = 0",
    ]  # fmt: skip
    places = [plan.index(text) for text in order[:-1]] + [plan.rindex(order[-1])]
    assert places[:2] == sorted(places[:2])
    assert places[3:] == sorted(places[3:]), plan
    assert "-0:05:00  light.main = 80  by schedule: pending meeting, live-demo" in plan
    assert "[policy schedule-sets-everything; gate passed]" in plan
    assert "+0:10:00  the room is given back" in lines_of(out, "If nobody comes")
    assert "the meeting is extended in the calendar" in lines_of(out, "If they stay on")
    assert "machine ready 30 s before the start: can be kept, 210 s to spare" in out
    assert "the machine: take #live-demo out of the booking" in out
    assert "note:" not in out.replace("note: plugins are not asked", "")


def test_what_comes_too_late_cannot_be_kept(ask):
    result = ask("SUMMARY:Now #demo", at="2026-12-01T09:59:50")
    promised = lines_of(result.output, "What is promised")
    assert "machine ready 30 s before the start: CANNOT be kept" in promised
    assert "as asked 30 s before the start: CANNOT be kept, 20 s short" in promised


def test_several_tags_are_explained_and_what_excludes_another_is_left_out(ask, house):
    intents = house / "intents.toml"
    both = ask("SUMMARY:x", "CATEGORIES:demo,quiet").output
    assert "Intent: Quiet meeting with video + Live demonstration (quiet-video+live-demo)" in both
    assert "together; where two speak of the same thing, the first counts" in both
    text = intents.read_text()
    intents.write_text(text.replace("exclusive = []", 'exclusive = ["live-demo"]'))
    one = ask("SUMMARY:x", "CATEGORIES:demo,quiet").output
    assert "without live-demo: #demo cannot go with quiet-video, which is declared first" in one
    assert "Intent: Quiet meeting with video (quiet-video)" in one


def test_what_the_policy_denies_stands_in_the_plan_with_its_name(ask, house):
    policy = house / "policies/room.cedar"
    policy.write_text(policy.read_text().replace("context.cost_cents > 500", "context.trusted"))
    result = ask("SUMMARY:x #demo")
    assert "= demo-small  [policy machine-within-budget]" in result.output
    assert "machine ready 30 s before the start: CANNOT be kept" in result.output


def test_nothing_is_written_anywhere(ask, tmp_path):
    ask("SUMMARY:x")
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()}
    assert ask("SUMMARY:x").exit_code == 0
    after = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()}
    assert {p for p in after if after[p] != before.get(p)} == {tmp_path / "event.ics"}


def test_for_machines_it_is_json_and_the_same_each_time(ask):
    one, two = (ask("SUMMARY:x #demo", options=("--json",)).output for _ in range(2))
    plan = json.loads(one)
    assert one == two
    assert plan["intent"]["name"] == "live-demo"
    assert {step["kind"] for step in plan["steps"]} >= {"room", "machine", "meeting", "calendar"}
    assert all(step["policy"] for step in plan["steps"] if step["kind"] == "room")
    assert {p["name"]: p["outcome"] for p in plan["promises"]} == {
        "ready": "kept", "machine": "kept",
    }  # fmt: skip


def test_of_a_series_the_next_one_is_planned_or_the_one_asked_for(ask):
    rule = "RRULE:FREQ=WEEKLY;COUNT=300"
    after = ask(rule, at="2026-12-01T11:30").output
    assert "Tuesday 08 December 2026, 10:00 to 11:00" in after
    assert "note: one of a series" in after
    chosen = ask(rule, options=("--occurrence", "2026-12-22")).output
    assert "Tuesday 22 December 2026" in chosen
    later = ask(rule, options=("--occurrence", "2026-12-23T12:00")).output
    assert "Tuesday 29 December 2026" in later
    never = ask(rule, options=("--occurrence", "2026-12-23"))
    assert never.exit_code == 1
    assert "nothing of it lies on 2026-12-23; it begins 2026-12-01T10:00" in never.output


def test_what_is_odd_about_a_booking_is_said(ask):
    out = ask(
        "SUMMARY:x", "STATUS:TENTATIVE", also=(event("b", START + 9e4, START + 9.1e4),)
    ).output
    assert "note: tentative" in out
    assert "note: names no room" in out
    assert "more event(s)" not in out, "the other one is another day"
    both = ask("SUMMARY:x", also=(event("b", START + 60, START + 600),)).output
    assert "note: 1 more event(s) in the file: the earliest is planned" in both
    begun = ask("SUMMARY:x", at="2026-12-01T10:20").output
    assert "note: it has begun (2026-12-01T10:00)" in begun
    room = "ATTENDEE;CUTYPE=ROOM;CN=Aurora:mailto:aurora@example.org"
    assert "names no room" not in ask("SUMMARY:x", room).output


@pytest.mark.parametrize(
    ("lines", "at", "said"),
    [
        (("STATUS:CANCELLED", "SUMMARY:Off"), AT, '"Off" is cancelled: the room does nothing'),
        (("SUMMARY:Past",), "2026-12-02T08:00", '"Past" was over 2026-12-01T11:00, before'),
        (("TRANSP:TRANSPARENT",), AT, "leaves the room free"),
        (("ATTENDEE;CUTYPE=ROOM;PARTSTAT=DECLINED:mailto:a@b",), AT, "declined by the room"),
        (("RRULE:FREQ=SECONDLY",), AT, "event.ics: "),
        (("SUMMARY:x",), "soon", "--at 'soon': an instant such as 2026-12-01T09:00"),
    ],
)
def test_a_booking_that_there_is_no_plan_of_is_explained(ask, lines, at, said):
    result = ask(*lines, at=at)
    assert result.exit_code == 1
    assert said in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("takes", ["nan", "inf", "1e300", "-1"])
def test_a_time_that_no_machine_takes_is_refused(ask, takes):
    result = ask("SUMMARY:x #demo", options=("--machine-takes", takes))
    assert result.exit_code == 2
    assert "Invalid value for '--machine-takes'" in result.output


def test_an_instant_outside_of_any_calendar_is_refused(ask, tmp_path, house):
    result = ask("SUMMARY:x", options=("--occurrence", "0001-01-01"))
    assert result.exit_code == 1
    assert "--occurrence '0001-01-01': a day (2026-12-01)" in result.output
    path = tmp_path / "old.ics"
    lines = ("BEGIN:VEVENT", "UID:o", "DTSTAMP:20260101T000000Z", "DTSTART:00010101T000000",
             "DURATION:PT1H", "END:VEVENT")  # fmt: skip
    path.write_text(calendar("\r\n".join(lines)))
    result = run(path, "--config", str(house / "room.toml"), "--no-plugins")
    assert isinstance(result.exception, SystemExit)
    assert f"{path}: begins outside of any calendar" in result.output


def test_what_a_terminal_would_obey_is_left_out(ask):
    escape = "\x1b[31m"
    result = ask(
        f"SUMMARY:Two  words{escape}\u202e red \x07 end",
        f"ORGANIZER;CN=Eve{escape}l:mailto:eve@example.org",
        f"CATEGORIES:de{escape}mo",
        options=("--json",),
    )
    assert result.exit_code == 0, result.output
    assert '"Two words[31m red end"' in result.output
    assert not {"\x1b", "\x07", "\u202e"} & set(result.output)
    assert "\\u001b" not in result.output


def test_a_past_meeting_is_planned_as_the_message_proposes(ask):
    said = ask("SUMMARY:Past", at="2026-12-02T08:00").output
    proposed = said.split("--at ")[1].split()[0]
    assert ask("SUMMARY:Past", at=proposed).exit_code == 0


def test_an_all_day_entry_and_a_meeting_of_a_day_and_a_half(ask, tmp_path):
    path = tmp_path / "day.ics"
    day = "BEGIN:VEVENT\r\nUID:d\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;VALUE=DATE:20261201\r\n"
    path.write_text(calendar(day + "SUMMARY:Fair\r\nEND:VEVENT"))
    result = run(path, "--config", str(ROOT / "config/room.toml"), "--at", AT)
    assert result.exit_code == 1
    assert '"Fair" lasts all day: such entries are notes' in result.output
    long = ask("SUMMARY:x", length=36 * 3600.0)
    assert long.exit_code == 0, "a meeting over 8 h is never released, and planned all the same"
    assert "+0:10:00  the room is given back" not in long.output


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\xff\xfe\x00garbage", "is not an iCalendar file"),
        (b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:x\r\n", "event.ics: "),
        (b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n", "holds no event"),
        (b"BEGIN:VCALENDAR\r\n" + b"BEGIN:X\r\n" * 3000, "components"),
        (b"BEGIN:VCALENDAR" + b"x" * (1024 * 1024), "bytes: at most"),
    ],
)
def test_a_file_that_is_no_booking_is_named(tmp_path, content, said):
    path = tmp_path / "event.ics"
    path.write_bytes(content)
    result = run(path, "--config", str(ROOT / "config/room.toml"), "--at", AT)
    assert result.exit_code == 1
    assert said in result.output
    assert str(path) in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)


def test_a_file_that_is_not_there_is_named(tmp_path):
    result = run(tmp_path / "none.ics", "--config", str(ROOT / "config/room.toml"))
    assert "none.ics: cannot be read: No such file" in result.output


def test_what_tells_too_little_of_people_is_said(ask, house):
    room = house / "room.toml"
    room.write_text(room.read_text().replace('device = "0"', 'device = ""', 1))
    assert "it asks instead" not in ask("SUMMARY:x").output
    room.write_text(room.read_text().replace('device = "default"', 'device = ""', 1))
    out = ask("SUMMARY:x").output
    assert "people are told by motion: too little for the room to take itself for empty" in out
    assert "+0:10:00  the room is given back" not in out


def test_the_rooms_own_plugins_are_asked(ask):
    result = ask("SUMMARY:x #demo", options=("--plugins",))
    assert result.exit_code == 0, result.output
    assert "by plugin:climate:" in result.output
    assert "[policy lights-plugin-sets-light; gate passed]" in result.output
    assert "plugins are not asked" not in result.output
