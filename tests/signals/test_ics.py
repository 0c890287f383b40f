import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contracts.signals import Meeting
from edge.signals.ics import Expanded, expand

BERLIN = ZoneInfo("Europe/Berlin")


def calendar(*events: str, extra: str = "") -> bytes:
    body = "".join(
        "BEGIN:VEVENT\r\nDTSTAMP:20260101T000000Z\r\n"
        + "\r\n".join(line.strip() for line in event.strip().splitlines())
        + "\r\nEND:VEVENT\r\n"
        for event in events
    )
    head = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n"
    return f"{head}{extra}{body}END:VCALENDAR\r\n".encode()


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def read(ics: bytes, start: str, hours: float = 24, attendee: str = "") -> Expanded:
    begin = datetime.fromisoformat(start)
    end = begin + timedelta(hours=hours)
    return expand(ics, begin, end, BERLIN, "/room/a.ics", '"1"', attendee)


def only(ics: bytes, start: str, hours: float = 24) -> Meeting:
    expanded = read(ics, start, hours)
    assert expanded.skipped == 0, expanded.reasons
    (meeting,) = expanded.meetings
    return meeting


SINGLE = "UID:a\nDTSTART:20260310T090000Z\nDTEND:20260310T100000Z\nSUMMARY:Plan"


def test_a_single_event_has_no_recurrence_id_and_keeps_its_file():
    meeting = only(calendar(SINGLE), "2026-03-10T00:00Z")
    assert meeting == Meeting(
        "a",
        at("2026-03-10T09:00Z"),
        at("2026-03-10T10:00Z"),
        title="Plan",
        href="/room/a.ics",
        etag='"1"',
    )


@pytest.mark.parametrize(
    ("start", "hours", "seen"),
    [
        ("2026-03-10T10:00Z", 1, 0),
        ("2026-03-10T09:59:59Z", 1, 1),
        ("2026-03-10T08:00Z", 1, 0),
        ("2026-03-10T08:00:01Z", 1, 1),
    ],
)
def test_both_ends_are_exclusive(start: str, hours: float, seen: int):
    assert len(read(calendar(SINGLE), start, hours).meetings) == seen


def test_a_series_keeps_local_time_over_the_clock_change():
    ics = calendar(
        "UID:s\nDTSTART;TZID=Europe/Berlin:20260327T090000\n"
        "DTEND;TZID=Europe/Berlin:20260327T100000\nRRULE:FREQ=DAILY;COUNT=5"
    )
    meetings = read(ics, "2026-03-28T00:00Z", 72).meetings
    assert [m.recurrence_id for m in meetings] == [
        "2026-03-28T08:00:00Z",
        "2026-03-29T07:00:00Z",
        "2026-03-30T07:00:00Z",
    ]
    assert [m.start for m in meetings] == [at(m.recurrence_id) for m in meetings]


def test_exceptions_cancellations_exdates_and_rdates():
    ics = calendar(
        "UID:s\nDTSTART:20260309T090000Z\nDTEND:20260309T100000Z\nRRULE:FREQ=DAILY;COUNT=5\n"
        "EXDATE:20260310T090000Z\nRDATE:20260310T150000Z",
        "UID:s\nRECURRENCE-ID:20260311T090000Z\nDTSTART:20260311T130000Z\nDTEND:20260311T140000Z",
        "UID:s\nRECURRENCE-ID:20260312T090000Z\nDTSTART:20260312T090000Z\n"
        "DTEND:20260312T100000Z\nSTATUS:CANCELLED",
    )
    meetings = read(ics, "2026-03-09T00:00Z", 24 * 6).meetings
    seen = [(m.recurrence_id[8:13], m.start == at(m.recurrence_id), m.cancelled) for m in meetings]
    assert sorted(seen) == [
        ("09T09", True, False),
        ("10T15", True, False),
        ("11T09", False, False),
        ("12T09", True, True),
        ("13T09", True, False),
    ]


def test_this_and_future_moves_all_that_follow_and_each_keeps_its_own_id():
    ics = calendar(
        "UID:s\nDTSTART:20260309T090000Z\nDTEND:20260309T100000Z\nRRULE:FREQ=DAILY;COUNT=5",
        "UID:s\nRECURRENCE-ID;RANGE=THISANDFUTURE:20260311T090000Z\n"
        "DTSTART:20260311T110000Z\nDTEND:20260311T113000Z",
    )
    meetings = sorted(read(ics, "2026-03-09T00:00Z", 24 * 6).meetings, key=lambda m: m.start)
    original = [f"2026-03-{day:02}T09:00:00Z" for day in range(9, 14)]
    assert [m.recurrence_id for m in meetings] == original
    assert [m.start - at(m.recurrence_id) for m in meetings] == [0, 0, 7200, 7200, 7200]
    assert [m.end - m.start for m in meetings] == [3600, 3600, 1800, 1800, 1800]


def test_an_instance_moved_into_the_window_from_far_away():
    ics = calendar(
        "UID:s\nDTSTART:20260105T090000Z\nDTEND:20260105T100000Z\nRRULE:FREQ=YEARLY",
        "UID:s\nRECURRENCE-ID:20280105T090000Z\nDTSTART:20260310T090000Z\nDTEND:20260310T100000Z",
    )
    assert only(ics, "2026-03-10T00:00Z").recurrence_id == "2028-01-05T09:00:00Z"


def test_floating_times_and_days_are_the_rooms():
    floating = calendar("UID:f\nDTSTART:20260310T090000\nDURATION:PT30M")
    assert only(floating, "2026-03-10T00:00Z").start == at("2026-03-10T09:00+01:00")
    day = calendar("UID:d\nDTSTART;VALUE=DATE:20260310\nDTEND;VALUE=DATE:20260311")
    meeting = only(day, "2026-03-10T12:00Z")
    assert meeting.all_day
    assert meeting.start == at("2026-03-10T00:00+01:00")
    assert meeting.end == at("2026-03-11T00:00+01:00")
    assert read(day, "2026-03-09T12:00Z", 10).meetings == ()
    assert read(day, "2026-03-10T23:00Z", 10).meetings == ()


def test_windows_zone_names_need_no_definition():
    ics = calendar(
        "UID:w\nDTSTART;TZID=W. Europe Standard Time:20260710T090000\n"
        "DTEND;TZID=W. Europe Standard Time:20260710T100000"
    )
    assert only(ics, "2026-07-10T00:00Z").start == at("2026-07-10T09:00+02:00")


def test_a_zone_of_the_files_own():
    zone = (
        "BEGIN:VTIMEZONE\r\nTZID:Ours\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n"
        "TZOFFSETFROM:+0300\r\nTZOFFSETTO:+0300\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
    )
    ics = calendar("UID:z\nDTSTART;TZID=Ours:20260310T090000\nDURATION:PT1H", extra=zone)
    assert only(ics, "2026-03-10T00:00Z").start == at("2026-03-10T06:00Z")


def test_across_midnight_it_is_seen_from_the_second_day():
    ics = calendar("UID:m\nDTSTART:20260309T230000Z\nDTEND:20260310T010000Z")
    assert only(ics, "2026-03-10T00:30Z").start == at("2026-03-09T23:00Z")


def test_what_does_not_book_the_room_is_left_out_silently():
    transparent = calendar(SINGLE + "\nTRANSP:TRANSPARENT")
    assert read(transparent, "2026-03-10T00:00Z") == Expanded(())
    declined = calendar(SINGLE + "\nATTENDEE;PARTSTAT=DECLINED:mailto:Room@Example.org")
    assert read(declined, "2026-03-10T00:00Z", attendee="room@example.org") == Expanded(())
    assert len(read(declined, "2026-03-10T00:00Z", attendee="other@example.org").meetings) == 1
    resource = calendar(SINGLE + "\nATTENDEE;CUTYPE=ROOM;PARTSTAT=DECLINED:mailto:r@e.org")
    assert read(resource, "2026-03-10T00:00Z") == Expanded(())
    nothing = calendar("UID:n\nDTSTART:20260310T090000Z\nDTEND:20260310T090000Z")
    assert read(nothing, "2026-03-10T00:00Z") == Expanded(())


def test_private_meetings_keep_no_words_and_tentative_is_told():
    ics = calendar(
        SINGLE + "\nCLASS:PRIVATE\nSTATUS:TENTATIVE\nORGANIZER;CN=Ada Lovelace:mailto:ada@e.org"
    )
    meeting = only(ics, "2026-03-10T00:00Z")
    assert (meeting.title, meeting.organiser, meeting.private, meeting.tentative) == (
        "",
        "",
        True,
        True,
    )


def test_categories_and_tags():
    ics = calendar(
        "UID:c\nDTSTART:20260310T090000Z\nDTEND:20260310T100000Z\n"
        "ORGANIZER;CN=Ada Lovelace:mailto:ada@e.org\n"
        "CATEGORIES:Quiet-Video,Team\nCATEGORIES:Team\nSUMMARY:Show #Live-Demo now\n"
        "DESCRIPTION:see https://e.org/#part\\n#quiet-video and\\n#extra"
    )
    meeting = only(ics, "2026-03-10T00:00Z")
    assert meeting.categories == ("quiet-video", "team", "live-demo", "extra")
    assert meeting.organiser == "Ada Lovelace"


HOSTILE_FILES = {
    "garbage": b"\x00\xff\xfe garbage",
    "empty": b"",
    "huge": b"BEGIN:VCALENDAR\r\n" + b"X" * 10_000_000,
    "cut off": calendar(SINGLE)[:120],
    "every second": calendar(SINGLE + "\nRRULE:FREQ=SECONDLY"),
    "every second, folded": calendar(SINGLE + "\nRRULE:FREQ=SE").replace(b"=SE", b"=SE\r\n CONDLY"),
    "every second, folded twice": calendar(SINGLE + "\nRRULE:FREQ=SECONDLY").replace(
        b"RRULE", b"RR\r\n\r\n ULE"
    ),
    "every second, behind quotes": calendar(SINGLE + '\nRRULE;X="a:FREQ=DAILY;Y=":FREQ=SECONDLY'),
    "every second, behind a line's end that is none": calendar(
        SINGLE + "\nRRULE:FREQ=DAILY;INTERVAL=1@;FREQ=SECONDLY"
    ).replace(b"@", "\u2028".encode()),
    "a day of the year, daily": calendar(SINGLE + "\nRRULE:FREQ=DAILY;BYYEARDAY=366"),
    "a day of the year, in a month": calendar(
        SINGLE + "\nRRULE:FREQ=YEARLY;BYYEARDAY=366;BYMONTH=1"
    ),
    "a week that no year has": calendar(SINGLE + "\nRRULE:FREQ=YEARLY;BYWEEKNO=54"),
    "Easter": calendar(SINGLE + "\nRRULE:FREQ=YEARLY;BYEASTER=1"),
    "many rules": calendar(SINGLE + "\nRRULE:FREQ=DAILY;COUNT=2" * 300),
    "never": calendar(SINGLE + "\nRRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"),
    "no such position": calendar(SINGLE + "\nRRULE:FREQ=DAILY;BYDAY=MO;BYSETPOS=300"),
    "a thousand a day": calendar(
        SINGLE + f"\nRRULE:FREQ=DAILY;BYMINUTE={','.join(map(str, range(60)))}"
    ),
    "since the year 1": calendar(
        "UID:y\nDTSTART:00010101T000000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY"
    ),
    "no start": calendar("UID:n\nSUMMARY:x"),
    "no frequency": calendar(SINGLE + "\nRRULE:COUNT=3"),
    "interval zero": calendar(SINGLE + "\nRRULE:FREQ=DAILY;INTERVAL=0"),
    "no number": calendar(SINGLE + "\nRRULE:FREQ=DAILY;INTERVAL=x"),
    "bad date": calendar("UID:b\nDTSTART:20261399T990000Z\nDTEND:x"),
    "many components": calendar(*[SINGLE] * 3000),
    "too many instances": calendar(
        SINGLE
        + "\nRDATE:"
        + ",".join(f"20260310T00{m:02}{s:02}Z" for m in range(60) for s in range(0, 60, 3))
    ),
    "a zone that repeats each second": calendar(
        SINGLE,
        extra="BEGIN:VTIMEZONE\r\nTZID:X\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n"
        "RRULE:FREQ=SECONDLY\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\n"
        "END:VTIMEZONE\r\n",
    ),
}


@pytest.mark.parametrize("name", HOSTILE_FILES)
def test_a_hostile_file_is_skipped_with_its_reason_and_soon(name: str):
    began = time.process_time()
    expanded = read(HOSTILE_FILES[name], "2026-03-10T00:00Z")
    assert expanded.meetings == ()
    assert expanded.skipped == 1
    assert expanded.reasons[0].startswith("/room/a.ics: ")
    assert time.process_time() - began < 2


@pytest.mark.parametrize("rule", ["BYWEEKNO=11;BYDAY=TU", "BYYEARDAY=69", "BYYEARDAY=-297"])
def test_a_day_of_the_year_is_read_once_a_year(rule: str):
    ics = calendar(SINGLE.replace("2026", "2024") + f"\nRRULE:FREQ=YEARLY;{rule}")
    assert [m.uid for m in read(ics, "2026-03-10T00:00Z").meetings] == ["a"]


@pytest.mark.parametrize("day", ["00010101", "99991231"])
def test_absurd_dates_cost_nothing(day: str):
    ics = calendar(f"UID:x\nDTSTART:{day}T000000Z\nDTEND:{day}T010000Z")
    assert read(ics, "2026-03-10T00:00Z").meetings == ()


LINES = st.sampled_from(
    [
        b"BEGIN:VEVENT",
        b"END:VEVENT",
        b"UID:a",
        b"DTSTART:20260310T090000Z",
        b"DTSTART;TZID=Nowhere/Land:20260310T090000",
        b"DTSTART;VALUE=DATE:20260310",
        b"DTEND:20260310T100000Z",
        b"DTEND:20260310",
        b"DURATION:-PT1H",
        b"RRULE:FREQ=WEEKLY;UNTIL=20270101",
        b"RRULE:FREQ=MONTHLY;BYDAY=5MO;UNTIL=x",
        b"EXDATE:20260310",
        b"RDATE;VALUE=PERIOD:20260310T090000Z/PT1H",
        b"RECURRENCE-ID:20260310T090000",
        b"RECURRENCE-ID;RANGE=THISANDFUTURE:20260310T090000Z",
        b"SEQUENCE:x",
        b"CATEGORIES:",
        b"ATTENDEE:",
        b"STATUS",
        b"\xff:\xfe",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(LINES | st.binary(max_size=40), max_size=14))
def test_no_mixture_of_lines_raises(lines: list[bytes]):
    head, tail = [b"BEGIN:VCALENDAR", b"BEGIN:VEVENT"], [b"END:VEVENT", b"END:VCALENDAR"]
    ics = b"\r\n".join([*head, *lines, *tail])
    start = datetime(2026, 3, 10, tzinfo=UTC)
    expand(ics, start, start + timedelta(days=2), BERLIN, "/x", "1")
