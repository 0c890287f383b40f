import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from paho.mqtt import publish

from edge.contracts.signals import (
    ContactChanged,
    MotionChanged,
    NodeReading,
    Signal,
    SourceChanged,
)
from edge.process.link import Link
from edge.signals.nodes import MESSAGE_LIMIT, NodeSource
from tests.world.mosquitto import Mosquitto
from tests.world.waiting import until

TOPIC = "roomkeeper/aurora/node/desk"


class Line:
    """Hands messages to the source without a broker; `now` is its clock."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.signals: list[Signal] = []
        self.handler: Callable[[str, bytes, bool], None] | None = None

    def subscribe(
        self, topic_filter: str, handler: Callable[[str, bytes, bool], None], qos: int = 1
    ) -> None:
        assert qos == 0
        assert topic_filter == "roomkeeper/aurora/node/+"
        self.handler = handler

    def say(self, payload: bytes | str, topic: str = TOPIC, retained: bool = False) -> None:
        assert self.handler is not None
        body = payload.encode() if isinstance(payload, str) else payload
        self.handler(topic, body, retained)

    def health(self, source: str = "node:desk") -> list[tuple[str, str]]:
        return [
            (s.health, s.reason)
            for s in self.signals
            if isinstance(s, SourceChanged) and s.source == source
        ]

    def readings(self) -> list[tuple[str, float]]:
        return [(s.quantity, s.value) for s in self.signals if isinstance(s, NodeReading)]


@contextmanager
def on_line(stale_s: float = 90.0) -> Iterator[Line]:
    line = Line()
    source = NodeSource(
        "nodes",
        line,
        "aurora",
        ["desk"],
        line.signals.append,
        stale_s=stale_s,
        check_s=0.005,
        mono=lambda: line.now,
    )
    source.start()
    try:
        yield line
    finally:
        source.stop()


def test_each_quantity_is_a_reading_and_motion_an_edge():
    with on_line() as line:
        line.say('{"temperature": 21.5, "co2": 640, "humidity": null, "occupancy": true}')
        line.say('{"temperature": 21.6, "occupancy": true}')
        line.say('{"occupancy": false}')
    assert line.readings() == [("temperature", 21.5), ("co2", 640.0), ("temperature", 21.6)]
    motion = [s for s in line.signals if isinstance(s, MotionChanged)]
    assert motion == [MotionChanged("node:desk", True), MotionChanged("node:desk", False)]
    assert line.health() == [("ok", "")]


def test_a_contact_is_an_edge_and_counts_again_after_silence():
    with on_line(stale_s=5) as line:
        line.say('{"window": true}')
        line.say('{"window": true, "door": false}')
        line.say('{"window": false}')
        line.now += 6
        until(lambda: ("lost", "no message for 5 s") in line.health())
        line.say('{"window": false}')
    assert [s for s in line.signals if isinstance(s, ContactChanged)] == [
        ContactChanged("node:desk", "window", True),
        ContactChanged("node:desk", "door", False),
        ContactChanged("node:desk", "window", False),
        ContactChanged("node:desk", "window", False),
    ]


@pytest.mark.parametrize(
    ("payload", "word"),
    [
        (b'{"temperature": NaN}', "no message"),
        (b'{"temperature": 1e999}', "no message"),
        (b'{"temperature": true}', "no message"),
        (b'{"temperature": "21"}', "no message"),
        (b"\xff\xfe", "no message"),
        (b"", "no message"),
        (b"[" * 4000, "no message"),
        (b'{"co2": 1' + b"0" * MESSAGE_LIMIT + b"}", "over"),
        (b'{"temperature": -300}', "temperature"),
        (b'{"humidity": 100.1}', "humidity"),
        (b'{"co2": 0}', "co2"),
        (b'{"illuminance": -1}', "illuminance"),
    ],
)
def test_nonsense_degrades_the_board_and_is_no_reading(payload: bytes, word: str):
    with on_line() as line:
        line.say(payload)
        assert line.readings() == []
        assert line.health()[-1][0] == "degraded"
        assert word in line.health()[-1][1]
        line.say('{"co2": 500}')
        assert line.readings() == [("co2", 500.0)]
        assert line.health()[-1][0] == "degraded", "one good message is no proof"
        line.now += 11
        line.say('{"co2": 500}')
        assert line.health()[-1][0] == "ok"


def test_the_good_values_of_a_message_count():
    with on_line() as line:
        line.say('{"temperature": 999, "co2": 500}')
    assert line.readings() == [("co2", 500.0)]


def test_a_flood_is_cut_and_told_once():
    with on_line() as line:
        for _ in range(500):
            line.say('{"co2": 500}')
    assert len(line.readings()) == 20
    assert [health for health, _ in line.health()] == ["ok", "degraded"]


def test_a_stranger_is_told_without_its_name():
    with on_line() as line:
        line.say('{"co2": 500}', topic="roomkeeper/aurora/node/evil")
        line.say('{"co2": 500}', topic="roomkeeper/aurora/node/evil2")
        assert line.readings() == []
        assert [health for health, _ in line.health("nodes")] == ["degraded"]
        line.now += 11
        until(lambda: line.health("nodes")[-1][0] == "ok")


def test_what_the_broker_kept_is_no_news():
    with on_line() as line:
        line.say('{"co2": 500}', retained=True)
        assert line.signals == []


def test_a_silent_board_is_lost_and_its_motion_forgotten():
    with on_line() as line:
        line.say('{"occupancy": true}')
        line.now += 91
        until(lambda: line.health()[-1] == ("lost", "no message for 90 s"))
        line.say('{"occupancy": true}')
        assert line.health()[-1][0] == "ok"
        motion = [s for s in line.signals if isinstance(s, MotionChanged)]
        assert len(motion) == 2


def test_a_board_on_a_real_broker_survives_ten_megabytes():
    signals: list[Signal] = []
    with Mosquitto() as broker:
        link = Link("devices", broker.broker)
        source = NodeSource("nodes", link, "aurora", ["desk"], signals.append)
        source.start()
        link.start()
        board = [sys.executable, "-m", "tests.world.board", "--port", str(broker.port)]
        board += ["--room", "aurora", "--node", "desk", "--people", "0:3", "--period", "0.2"]
        with subprocess.Popen(board) as process:
            try:
                until(lambda: any(isinstance(s, NodeReading) for s in signals))
                for payload in (b"x" * 10_000_000, b"{"):
                    publish.single(TOPIC, payload, 1, port=broker.port)
                until(lambda: SourceChanged("node:desk", "ok") in signals)
                until(lambda: isinstance(signals[-1], NodeReading | MotionChanged))
                until(lambda: any(getattr(s, "health", "") == "degraded" for s in signals))
                count = len(signals)
                until(lambda: len(signals) > count + 8)
            finally:
                process.terminate()
                source.stop()
                link.stop()
    assert {s.quantity for s in signals if isinstance(s, NodeReading)} == {
        "temperature",
        "humidity",
        "co2",
        "illuminance",
    }
    assert any(isinstance(s, MotionChanged) and s.active for s in signals)


def test_the_simulated_air_is_the_same_for_a_seed_and_rises_with_people():
    from tests.world.board import Air, people_at, timeline

    rows = timeline("0:0,600:4,4200:0")
    assert [people_at(rows, s) for s in (0, 599, 600, 4300)] == [0, 0, 4, 0]

    def hour(seed: int) -> list[str]:
        air = Air(seed)
        said = []
        for second in range(0, 7200, 10):
            air.step(people_at(rows, second), second, 10)
            said.append(json.dumps(air.reading(people_at(rows, second), second)))
        return said

    assert hour(1) == hour(1) != hour(2)
    said = [json.loads(line) for line in hour(1)]
    full, later = said[415], said[-1]
    assert full["co2"] > said[55]["co2"] + 400
    assert later["co2"] < full["co2"]
    assert full["temperature"] > said[55]["temperature"]
    assert not any(row["occupancy"] for row in said[:55])
    assert sum(row["occupancy"] for row in said[65:415]) > 300
