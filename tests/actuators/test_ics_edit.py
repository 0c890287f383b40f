from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
import recurring_ical_events
from icalendar import Calendar

from edge.actuators.ics_edit import Edit, Room, book, booked_as_asked, edit
from edge.contracts.commands import CalendarWrite
from tests.world.ics import calendar, event, stamp

ROOM = Room(ZoneInfo("Europe/Berlin"), "room@example.org")
START = datetime(2026, 3, 10, 9, tzinfo=UTC).timestamp()
END = START + 3600
NOW = START + 600


def write(verb: str, end: float = 0.0, recurrence_id: str = "", **more: object) -> CalendarWrite:
    return CalendarWrite("w1", verb, "a", "c", recurrence_id, "/a.ics", '"1"', START, end, **more)  # type: ignore[arg-type]


def change(ics: str, asked: CalendarWrite, *, as_read: bool = True) -> Edit:
    return edit(ics.encode(), asked, ROOM, NOW, as_read=as_read)


def lines(done: Edit) -> list[str]:
    assert done.outcome == "changed", done
    return done.data.decode().replace("\r\n ", "").split("\r\n")


def test_a_new_end_keeps_everything_it_does_not_know():
    ics = calendar(
        event(
            "a",
            START,
            END,
            "SUMMARY;LANGUAGE=de:Größe\\, Gewicht",
            "X-OTHER;X-P=1:kept",
            "SEQUENCE:4",
            "BEGIN:VALARM",
            "TRIGGER:-PT10M",
            "ACTION:DISPLAY",
            "X-ALARM:kept too",
            "END:VALARM",
        )
    )
    after = lines(change(ics, write("extend", END + 900)))
    assert f"DTEND:{stamp(END + 900)}" in after
    assert "SEQUENCE:5" in after
    assert f"LAST-MODIFIED:{stamp(NOW)}" in after
    assert f"DTSTAMP:{stamp(NOW)}" in after
    before = set(ics.split("\r\n"))
    gone = before - set(after)
    assert gone == {f"DTEND:{stamp(END)}", "SEQUENCE:4", "DTSTAMP:20260101T000000Z"}


def test_the_same_again_changes_nothing():
    for verb in ("extend", "end", "release"):
        assert change(calendar(event("a", START, END)), write(verb, END)).outcome == "same"
    once = change(calendar(event("a", START, END)), write("check_in"))
    assert f"X-ROOMKEEPER-CHECKED-IN:{stamp(NOW)}" in lines(once)
    assert change(once.data.decode(), write("check_in")).outcome == "same"


def test_an_end_that_was_reached_already_stays():
    assert change(calendar(event("a", START, END)), write("end", END + 60)).outcome == "same"


def test_somebody_elses_longer_extension_is_a_conflict():
    ics = calendar(event("a", START, END + 1800))
    assert change(ics, write("extend", END + 900)).outcome == "conflict"


def test_released_before_it_began_it_is_cancelled():
    assert "STATUS:CANCELLED" in lines(
        change(calendar(event("a", START, END)), write("release", START))
    )


def test_the_zones_own_name_is_kept():
    ics = calendar(event("a", START, END)).replace(
        f"DTSTART:{stamp(START)}", "DTSTART;TZID=W. Europe Standard Time:20260310T100000"
    )
    after = lines(change(ics, write("extend", END + 900)))
    assert "DTEND;TZID=W. Europe Standard Time:20260310T111500" in after


def test_floating_times_stay_floating_and_a_duration_becomes_an_end():
    ics = calendar(event("a", START, END)).replace(
        f"DTSTART:{stamp(START)}", "DTSTART:20260310T100000"
    )
    ics = ics.replace(f"DTEND:{stamp(END)}", "DURATION:PT1H")
    after = lines(change(ics, write("extend", END + 900)))
    assert "DTEND:20260310T111500" in after
    assert not [line for line in after if line.startswith("DURATION")]


def test_a_whole_day_ended_early_gets_times():
    ics = calendar(event("a", START, END)).replace(
        f"DTSTART:{stamp(START)}", "DTSTART;VALUE=DATE:20260310"
    )
    ics = ics.replace(f"DTEND:{stamp(END)}", "DTEND;VALUE=DATE:20260311")
    after = lines(change(ics, write("end", END)))
    assert "DTSTART:20260309T230000Z" in after
    assert f"DTEND:{stamp(END)}" in after


SERIES = event(
    "a", START - 86400, END - 86400, "RRULE:FREQ=DAILY;COUNT=5", "SUMMARY:Daily", "X-OTHER:kept"
)
RID = "2026-03-10T09:00:00Z"


def starts_and_ends(ics: bytes) -> list[tuple[float, float]]:
    found = recurring_ical_events.of(Calendar.from_ical(ics)).all()
    return [(e["DTSTART"].dt.timestamp(), e["DTEND"].dt.timestamp()) for e in found]


def test_one_of_a_series_gets_an_exception_of_its_own():
    done = change(calendar(SERIES), write("extend", END + 900, RID))
    after = lines(done)
    assert f"RECURRENCE-ID:{stamp(START)}" in after
    assert after.count("X-OTHER:kept") == 2
    assert after.count("RRULE:FREQ=DAILY;COUNT=5") == 1
    days = [START + 86400 * n for n in range(-1, 4)]
    assert starts_and_ends(done.data) == [
        (day, day + 3600 + (900 if day == START else 0)) for day in days
    ]
    again = change(done.data.decode(), write("end", END - 60, RID), as_read=False)
    assert (START, END - 60) in starts_and_ends(again.data)


def test_a_check_in_of_one_marks_only_that_one():
    after = lines(change(calendar(SERIES), write("check_in", 0, RID)))
    assert len([line for line in after if line.startswith("X-ROOMKEEPER-CHECKED-IN")]) == 1


def test_an_answer_to_one_leaves_the_others_unanswered():
    ics = SERIES.replace(
        "X-OTHER:kept", "ATTENDEE;CUTYPE=ROOM;PARTSTAT=NEEDS-ACTION:mailto:room@example.org"
    )
    done = change(calendar(ics), write("decline", 0, RID))
    text = done.data.decode().replace("\r\n ", "")
    assert (text.count("NEEDS-ACTION"), text.count("DECLINED")) == (1, 1)
    whole = change(calendar(ics), write("accept"))
    text = whole.data.decode().replace("\r\n ", "")
    assert (text.count("NEEDS-ACTION"), text.count("ACCEPTED")) == (0, 1)


def test_after_a_change_of_all_that_follow_the_exception_starts_from_that():
    future = event(
        "a",
        START - 86400 + 7200,
        END - 86400 + 3600 * 3,
        f"RECURRENCE-ID;RANGE=THISANDFUTURE:{stamp(START - 86400)}",
    )
    ics = calendar(SERIES, future)
    asked = CalendarWrite("w", "check_in", "a", "c", RID, "", "", START + 7200)
    done = change(ics, asked)
    assert (START + 7200, START + 7200 + 7200) in starts_and_ends(done.data)


@pytest.mark.parametrize(
    "ics",
    [
        calendar(event("a", START + 60, END)),
        calendar(SERIES),
        calendar(event("other", START, END)),
    ],
    ids=["moved", "became a series", "gone"],
)
def test_what_is_not_as_it_was_read_is_a_conflict(ics: str):
    assert change(ics, write("extend", END + 900), as_read=False).outcome == "conflict"


def test_another_property_changed_is_no_conflict():
    ics = calendar(event("a", START, END, "SUMMARY:new title"))
    assert "SUMMARY:new title" in lines(change(ics, write("extend", END + 900), as_read=False))


def test_a_file_with_lines_that_would_be_lost_is_left_alone():
    broken = calendar(event("a", START, END, "CREATED:not a date"))
    assert change(broken, write("extend", END + 900)).outcome == "failed"
    assert edit(b"\xff\x00", write("end"), ROOM, NOW, as_read=True).outcome == "failed"


def test_a_decline_without_an_invitation_adds_one():
    after = lines(change(calendar(event("a", START, END)), write("decline")))
    assert "ATTENDEE;CUTYPE=ROOM;PARTSTAT=DECLINED:mailto:room@example.org" in after
    nobody = edit(
        calendar(event("a", START, END)).encode(),
        write("decline"),
        Room(ROOM.zone),
        NOW,
        as_read=True,
    )
    assert nobody.outcome == "failed"
    assert "calendar.attendee" in nobody.detail


def test_a_booking_is_what_was_asked():
    asked = write("book", END, title="Walk-up, now")
    ics = book(asked, ROOM, NOW)
    assert b"SUMMARY:Walk-up\\, now" in ics
    assert booked_as_asked(ics, asked, ROOM)
    assert not booked_as_asked(calendar(event("a", START, END + 60)).encode(), asked, ROOM)
