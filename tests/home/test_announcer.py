"""The announcer on a real broker: what it says, when, what it hears, and what it takes back."""

import itertools
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest
from paho.mqtt import publish

from edge.contracts.gating import GateRule
from edge.contracts.signals import OperatorAsked, Signal
from edge.contracts.wire import HomeMessage
from edge.home.about import About
from edge.home.announcer import WISHES, WISHES_PER_S, Announcer, last_will
from edge.home.documents import documents
from edge.process.link import Link
from tests.world.mosquitto import Mosquitto
from tests.world.waiting import until, within

ABOUT = About(
    "aurora", "Aurora", "1.0",
    (GateRule("light.main", 0, 100), GateRule("display.power", values=("on", "off"))),
    hold_s=600.0,
)  # fmt: skip
LAMP = "homeassistant/light/roomkeeper_aurora/light__main/config"


@dataclass
class World:
    """A broker, an announcer on it, and what travelled."""

    broker: Mosquitto
    stack: ExitStack
    discovery: bool = True
    kept: dict[str, bytes] = field(default_factory=dict)
    states: list[bytes] = field(default_factory=list)
    posted: list[Signal] = field(default_factory=list)
    says: HomeMessage = field(default_factory=HomeMessage)

    def listen(self) -> None:
        listener = Link("listener", self.broker.broker)
        listener.subscribe("homeassistant/#", self._heard)
        listener.subscribe("roomkeeper/#", self._heard)
        listener.start()
        self.stack.callback(listener.stop)
        until(lambda: listener.connected)

    def _heard(self, topic: str, payload: bytes, _retained: bool) -> None:
        self.kept[topic] = payload
        if topic == ABOUT.state:
            self.states.append(payload)

    def begin(self) -> None:
        self.link = Link("devices", self.broker.broker, will=last_will(ABOUT))
        made = documents(ABOUT) if self.discovery else {}
        self.announcer = Announcer(ABOUT, made, self.link, lambda: self.says, self.posted.append)
        self.announcer.start()
        self.link.start()
        self.stack.callback(self.announcer.stop)
        self.stack.callback(self.link.stop)
        until(lambda: self.link.connected)

    def say(self, topic: str, payload: bytes, retain: bool = False) -> None:
        publish.single(topic, payload, 1, retain, port=self.broker.port)

    def taken(self) -> list[tuple[str, object]]:
        return [(s.actuator, s.value) for s in self.posted if isinstance(s, OperatorAsked)]


@pytest.fixture
def world() -> Iterator[World]:
    with ExitStack() as stack:
        made = World(stack.enter_context(Mosquitto()), stack)
        made.listen()
        yield made


def test_it_announces_tells_and_says_goodbye(world: World):
    world.begin()
    until(lambda: world.kept.get(ABOUT.online) == b"online" and world.states)
    assert json.loads(world.kept[LAMP])["device"]["name"] == "Aurora"
    assert json.loads(world.states[-1])["meeting"] == "free"
    world.link.stop()
    until(lambda: world.kept[ABOUT.online] == b"offline")


def test_state_goes_out_on_change_and_at_most_once_a_second(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    world.begin()
    until(lambda: world.states)
    counts = itertools.count(1)
    # When it is handed over: a busy machine may bring two that were a second apart at once.
    said: list[float] = []
    publish = world.link.publish

    def noting(topic: str, payload: bytes, **options: object) -> bool:
        said.append(time.monotonic())
        return publish(topic, payload, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(world.link, "publish", noting)

    def flood() -> bool:
        world.says = HomeMessage(people=next(counts))
        world.announcer.poke()
        return len(world.states) >= 4

    until(flood)
    last = world.says.people
    until(lambda: json.loads(world.states[-1])["people"] == last)
    assert min(later - one for one, later in itertools.pairwise(said)) > 0.99


def test_everything_is_said_again_to_a_broker_that_forgot(world: World):
    world.begin()
    until(lambda: world.states)
    world.broker.kill()
    world.kept.clear()
    world.states.clear()
    until(lambda: not world.link.connected)
    world.broker.start()
    until(lambda: LAMP in world.kept and world.kept.get(ABOUT.online) == b"online", 20)
    until(lambda: world.states, 20)


def test_a_wish_is_what_a_person_set_for_a_time(world: World):
    world.begin()
    world.say(ABOUT.wish("light.main"), b"40")
    world.say(ABOUT.wish("light.main"), b"OFF")
    world.say(ABOUT.wish("display.power"), b"on")
    until(lambda: len(world.posted) == 3)
    assert world.taken() == [("light.main", 40), ("light.main", 0), ("display.power", "on")]
    first = world.posted[0]
    assert isinstance(first, OperatorAsked)
    assert (first.verb, first.who, first.seconds) == ("set", "home-assistant", 600.0)


def test_automation_is_paused_resumed_and_given_back_what_was_set(world: World):
    world.begin()
    for actuator, payload in (("_automation", b"off"), ("_automation", b"on"), ("_release", b"on")):
        world.say(ABOUT.wish(actuator), payload)
    until(lambda: len(world.posted) == 4)
    asked = [s for s in world.posted if isinstance(s, OperatorAsked)]
    assert [(s.verb, s.actuator) for s in asked] == [
        ("pause", ""), ("resume", ""), ("release", "light.main"), ("release", "display.power"),
    ]  # fmt: skip
    assert asked[0].seconds == 600.0


@pytest.mark.parametrize(
    ("actuator", "payload", "outcome"),
    [
        ("light.main", b"101", "malformed"),
        ("light.main", b"nan", "malformed"),
        ("light.main", b"bright", "malformed"),
        ("light.main", b"\xff", "malformed"),
        ("light.main", b"", "malformed"),
        ("light.main", b"1" * 100_000, "malformed"),
        ("display.power", b"1", "malformed"),
        ("_automation", b"perhaps", "malformed"),
        ("_release", b"", "malformed"),
        ("vm", b"demo-small", "unknown"),
    ],
)
def test_a_wish_that_cannot_be_is_counted_and_dropped(world: World, actuator, payload, outcome):
    world.begin()
    before = WISHES.labels(outcome)._value.get()
    world.say(ABOUT.wish(actuator), payload)
    until(lambda: WISHES.labels(outcome)._value.get() == before + 1)
    assert world.posted == []


def test_a_wish_that_the_broker_kept_is_of_another_day(world: World):
    world.say(ABOUT.wish("light.main"), b"100", retain=True)
    before = WISHES.labels("stale")._value.get()
    world.begin()
    until(lambda: WISHES.labels("stale")._value.get() == before + 1)
    assert world.posted == []


def test_a_flood_of_wishes_is_cut(world: World):
    world.begin()
    before = WISHES.labels("flooded")._value.get()
    began = time.monotonic()
    messages = [(ABOUT.wish("light.main"), str(n % 100), 0, False) for n in range(300)]
    publish.multiple(messages, port=world.broker.port)
    until(lambda: WISHES.labels("flooded")._value.get() > before)
    posted, passed = len(world.posted), time.monotonic() - began
    assert posted <= 51 + WISHES_PER_S * passed


def test_what_is_no_more_is_taken_back_and_strangers_stay(world: World):
    gone = "homeassistant/light/roomkeeper_aurora/light__gone/config"
    other = "homeassistant/light/roomkeeper_borealis/light__main/config"
    for topic in (gone, other):
        world.say(topic, b"{}", retain=True)
    world.begin()
    until(lambda: world.kept.get(gone) == b"")
    assert world.kept[other] == b"{}"
    until(lambda: world.kept.get(LAMP))


def test_a_room_that_is_not_to_be_seen_takes_everything_back_and_says_nothing(world: World):
    for topic in (LAMP, ABOUT.state):
        world.say(topic, b"{}", retain=True)
    world.discovery = False
    world.begin()
    until(lambda: world.kept.get(LAMP) == b"" and world.kept.get(ABOUT.state) == b"")
    world.say(ABOUT.wish("light.main"), b"40")
    assert set(world.kept.values()) <= {b"", b"40"}
    assert world.posted == []


def test_stop_is_quick(world: World):
    world.begin()
    with within(1.0):
        world.announcer.stop()
