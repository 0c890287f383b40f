"""Ingest as a process against a real broker: stored first, acknowledged then, never stopped."""

import http.client
import json
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cloud_bridge.ingest import read_event
from edge.contracts import topics
from edge.contracts.wire import EventMessage, PresenceMessage, WantedMachine, WantedMessage
from tests.cloud_bridge.service import Asker, Running, new_key, write_config
from tests.world.mosquitto import Mosquitto
from tests.world.waiting import until


@pytest.fixture
def config(tmp_path: Path, broker: Mosquitto) -> Path:
    return write_config(tmp_path, broker.port, "qemu:///embed?root=unused")


@pytest.fixture
def ingest(config: Path) -> Iterator[Running]:
    with Running("ingest", config) as process:
        until((config.parent / "cloud.db").exists)
        yield process


@pytest.fixture
def room(broker: Mosquitto, ingest: Running) -> Iterator[Asker]:
    with Asker(broker.broker) as asker:
        until(lambda: asker.link.connected)
        # A row that comes before the subscription stands would be nobody's.
        until(lambda: health(ingest)["broker"])
        yield asker


def health(ingest: Running) -> dict[str, Any]:
    config = (ingest.log.parent / "cloud.toml").read_text()
    port = next(line.split("=")[1].strip() for line in config.splitlines() if "ingest_port" in line)
    try:
        try:
            answer = urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            return json.load(answer)  # type: ignore[no-any-return]
    except (OSError, http.client.HTTPException):
        return {"ok": False, "broker": False, "store": ""}


def rows(config: Path, query: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(config.parent / "cloud.db", timeout=5)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def test_rows_are_acknowledged_once_stored(config: Path, room: Asker) -> None:
    for sequence in range(1, 301):
        room.event(sequence)
    until(lambda: room.acks and room.acks[-1] == 300)
    assert rows(config, "SELECT count(*) FROM events") == [(300,)]
    assert room.acks == sorted(room.acks)


def test_a_gap_holds_the_acknowledgement_until_it_is_filled(config: Path, room: Asker) -> None:
    for sequence in (1, 2, 4, 5):
        room.event(sequence)
    until(lambda: rows(config, "SELECT count(*) FROM events") == [(4,)])
    until(lambda: room.acks[-1:] == [2])
    room.event(3)
    until(lambda: room.acks[-1] == 5)
    assert set(room.acks) <= {1, 2, 5}


def test_a_repeated_or_reordered_row_is_stored_once(config: Path, room: Asker) -> None:
    for sequence in (3, 1, 2, 1, 3, 2):
        room.event(sequence)
    until(lambda: room.acks and room.acks[-1] == 3)
    room.event(2, data={"n": "a later lie"})
    room.event(4)
    until(lambda: room.acks[-1] == 4)
    stored = rows(config, "SELECT sequence, body FROM events ORDER BY sequence")
    assert [sequence for sequence, _ in stored] == [1, 2, 3, 4]
    assert b"later lie" not in stored[1][1]


def test_a_replaced_journal_is_counted_for_itself_and_skips_nothing(
    config: Path, room: Asker, ingest: Running
) -> None:
    for sequence in (1, 2, 3):
        room.event(sequence, journal="old")
    until(lambda: room.acks and room.acks[-1] == 3)
    room.event(2, journal="new")
    room.event(1, journal="new", id="aurora-1-other")
    until(lambda: room.journals[-1] == "new" and room.acks[-1] == 2)
    found = rows(config, "SELECT journal, count(*) FROM events GROUP BY journal ORDER BY 1")
    assert found == [("new", 2), ("old", 3)]
    seen = len(room.acks)
    ingest.kill()
    ingest.start()
    # Only the journal that is written now is spoken of again: its word is what stays retained.
    until(lambda: len(room.acks) > seen)
    room.event(3, journal="new")
    until(lambda: room.acks[-1] == 3)
    assert set(room.journals[seen:]) == {"new"}


def test_a_killed_ingest_goes_on_where_it_was(config: Path, room: Asker, ingest: Running) -> None:
    room.event(1)
    until(lambda: room.acks[-1:] == [1])
    ingest.kill()
    ingest.start()
    # What it has stored is said again by itself, so that a room that missed it can go on.
    until(lambda: len(room.acks) > 1)
    assert room.acks[-1] == 1
    until(lambda: health(ingest)["ok"])
    room.event(2)
    until(lambda: room.acks[-1] == 2)


def test_a_killed_broker_is_found_again(
    config: Path, broker: Mosquitto, room: Asker, ingest: Running
) -> None:
    room.event(1)
    until(lambda: room.acks[-1:] == [1])
    broker.restart()
    # Said again to the new broker: its health may still be what it was with the old one.
    until(lambda: room.acks[1:], 30)
    until(lambda: room.link.connected and health(ingest)["ok"], 30)
    room.event(2)
    until(lambda: room.acks[-1] == 2)


def test_bad_messages_are_kept_aside_and_stop_nothing(config: Path, room: Asker) -> None:
    before = health_of_letters(config)
    assert before == 0
    room.raw(topics.EVENTS, b"\xff\x00 no json")
    room.raw(topics.EVENTS, b"[" * 200_000)
    room.raw(topics.EVENTS, b'{"id": 1}')
    room.event(0)
    room.event(-5)
    room.event(2**60)
    room.event(7, id="x" * 300)
    room.raw(topics.WANTED, b'{"room":"aurora","version":1,"at":1,"surprise":1}')
    room.raw(topics.WANTED, msgspec.json.encode(WantedMessage("other", 1, 1.0)))
    for machine in (
        WantedMachine("no-uuid", "m", "small", 1.0, 2.0),
        WantedMachine(new_key().upper(), "m", "small", 1.0, 2.0),
        WantedMachine(new_key(), "m", "small", 2.0, 1.0),
        WantedMachine(new_key(), "m" * 2000, "small", 1.0, 2.0),
        WantedMachine(new_key(), "m", "small", 1.0, 2.0, lead_s=-1.0),
        WantedMachine(new_key(), "m", "small", 1.0, 2.0, lead_s=1e9),
    ):
        room.want(machine)
    many = tuple(WantedMachine(new_key(), "m", "small", 1.0, 2.0) for _ in range(501))
    room.want(*many)
    room.raw(topics.PRESENCE, msgspec.json.encode(PresenceMessage("other", online=True)))
    room.raw(topics.PRESENCE, b"x" * 300_000)  # too large: dropped by the link, not kept
    room.event(1)
    until(lambda: room.acks and room.acks[-1] == 1)
    assert health_of_letters(config) == 17
    assert rows(config, "SELECT count(*) FROM wanted") == [(0,)]
    reasons = " ".join(r for (r,) in rows(config, "SELECT reason FROM dead_letters"))
    assert "no UUID" in reasons
    assert "501 machines; allowed is 500" in reasons
    assert "unknown field `surprise`" in reasons


@pytest.mark.parametrize("hidden", [b"\xff", b"\0"])
def test_what_no_database_takes_for_text_is_unusable_wherever_it_stands(hidden: bytes) -> None:
    event = EventMessage(
        id="a-1-1", source="/a", type="roomkeeper.note", time="", sequence=1, data={}
    )
    good = msgspec.json.encode(event)
    assert read_event("a", good).sequence == 1
    with pytest.raises((msgspec.MsgspecError, UnicodeDecodeError)):
        read_event("a", good[:-1] + b',"zzz":"' + hidden + b'"}')


def health_of_letters(config: Path) -> int:
    return int(rows(config, "SELECT count(*) FROM dead_letters")[0][0])


def test_the_newest_snapshot_counts_whatever_the_order(config: Path, room: Asker) -> None:
    def say(version: int, at: float) -> None:
        message = WantedMessage("aurora", version, at)
        room.raw(topics.WANTED, msgspec.json.encode(message))

    say(5, 50.0)
    say(3, 30.0)
    room.event(1)
    until(lambda: room.acks[-1:] == [1])
    assert rows(config, "SELECT version FROM wanted") == [(5,)]
    # A room that lost its journal counts anew.
    say(1, 60.0)
    room.event(2)
    until(lambda: room.acks[-1] == 2)
    assert rows(config, "SELECT version FROM wanted") == [(1,)]


def test_presence_and_its_end_are_noted(config: Path, room: Asker) -> None:
    room.raw(topics.PRESENCE, msgspec.json.encode(PresenceMessage("aurora", True, 1.0, "0.1")))
    room.event(1)
    until(lambda: room.acks[-1:] == [1])
    assert rows(config, "SELECT online, version FROM rooms") == [(1, "0.1")]
    room.raw(topics.PRESENCE, msgspec.json.encode(PresenceMessage("aurora", False)))
    room.event(2)
    until(lambda: room.acks[-1] == 2)
    assert rows(config, "SELECT online, version FROM rooms") == [(0, "0.1")]
    assert rows(config, "SELECT stored FROM journals") == [(2,)]


def test_sigterm_ends_it_within_2_s_with_everything_heard_stored(
    config: Path, room: Asker, ingest: Running
) -> None:
    for sequence in range(1, 101):
        room.event(sequence)
    until(lambda: room.acks)
    assert ingest.terminate(2.0) == 0
    until(lambda: not health(ingest)["ok"])


def test_a_database_that_is_away_is_told_and_tried_again(
    config: Path, room: Asker, ingest: Running
) -> None:
    room.event(1)
    until(lambda: room.acks[-1:] == [1])
    connection = sqlite3.connect(config.parent / "cloud.db", isolation_level=None)
    connection.execute("ALTER TABLE events RENAME TO away")
    room.event(2)
    until(lambda: "events" in str(health(ingest)["store"]))
    assert not health(ingest)["ok"]
    assert set(room.acks) == {1}
    connection.execute("ALTER TABLE away RENAME TO events")
    connection.close()
    until(lambda: room.acks[-1] == 2, 20)
    until(lambda: health(ingest)["ok"])
