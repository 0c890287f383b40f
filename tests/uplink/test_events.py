"""What of a row leaves the room."""

from dataclasses import dataclass

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.contracts.base import Now
from edge.contracts.signals import CalendarRead, Meeting, encode_signal
from edge.contracts.topics import PAYLOAD_LIMIT
from edge.contracts.wire import EventMessage
from edge.uplink.events import encode_event, shareable

NOW = Now(1_700_000_000.25, 1.0)


@dataclass(frozen=True)
class Kept:
    seq: int = 7
    kind: str = "signal"
    id: str = "r1-2-3"
    now: Now = NOW
    body: bytes | None = b'{"type":"motion"}'
    hash: bytes = bytes(range(32))


def event(row: Kept, share_titles: bool = False) -> EventMessage:
    return msgspec.json.decode(encode_event("r1", "j1", row, share_titles), type=EventMessage)


def test_a_row_becomes_a_cloud_event() -> None:
    assert event(Kept()) == EventMessage(
        id="r1-2-3",
        source="/roomkeeper/r1",
        type="roomkeeper.signal",
        time="2023-11-14T22:13:20.250000+00:00",
        sequence=7,
        data={"type": "motion"},
        traceparent=event(Kept()).traceparent,
        journal="j1",
    )


def test_the_rows_of_one_step_share_a_trace() -> None:
    signal, decision = event(Kept()), event(Kept(id="r1-2-3.d", hash=bytes(32)))
    other = event(Kept(id="r1-2-4"))
    version, trace, span, flags = signal.traceparent.split("-")
    assert (version, len(trace), len(span), flags) == ("00", 32, 16, "01")
    assert decision.traceparent.split("-")[1] == trace
    assert decision.traceparent.split("-")[2] != span
    assert other.traceparent.split("-")[1] != trace


def test_titles_and_organisers_stay_unless_they_are_shared() -> None:
    meeting = Meeting("u1", 0.0, 1.0, title="Merger with Globex", organiser="ann@example.org")
    row = Kept(body=encode_signal(CalendarRead("calendar", (meeting,))))
    assert b"Globex" not in encode_event("r1", "j1", row, False)
    assert b"ann@" not in encode_event("r1", "j1", row, False)
    assert b"u1" in encode_event("r1", "j1", row, False)
    assert b"Globex" in encode_event("r1", "j1", row, True)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["title", "organiser", "a", "b"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["title", "x"]), json_values))
def test_no_private_key_survives_at_any_depth(data: dict[str, object]) -> None:
    kept = msgspec.json.encode(shareable("decision", msgspec.json.encode(data), False))
    assert b'"title":' not in kept
    assert b'"organiser":' not in kept


@pytest.mark.parametrize(
    ("row", "data"),
    [
        (Kept(kind="boot", body=b'{"state":"all of it"}'), {}),
        (Kept(body=None), {}),
        (Kept(body=b"\xff no json"), {"omitted": "no JSON"}),
        (Kept(body=b"[" * 100_000 + b"]" * 100_000), {"omitted": "no JSON"}),
        (Kept(body=b"[1]"), {"value": [1]}),
    ],
)
def test_what_is_private_gone_or_odd_still_leaves_its_number(row: Kept, data: object) -> None:
    assert event(row).data == data
    assert event(row).sequence == 7


def test_a_row_too_large_for_the_wire_leaves_without_its_payload() -> None:
    row = Kept(body=msgspec.json.encode({"text": "x" * PAYLOAD_LIMIT}))
    assert len(encode_event("r1", "j1", row, False)) < 1000
    assert event(row).data["omitted"] == "too large"


def test_a_senseless_clock_holds_nothing_up() -> None:
    assert event(Kept(now=Now(1e300, 0.0))).time == "1970-01-01T00:00:00+00:00"
