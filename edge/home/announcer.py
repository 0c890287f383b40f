"""The announcer: tells Home Assistant what the room is and how it stands, and hears its wishes."""

import threading
from collections.abc import Callable, Mapping

import msgspec
import structlog
from prometheus_client import Counter

from edge.contracts.base import ContractError
from edge.contracts.gating import GateRule
from edge.contracts.signals import OperatorAsked, Signal
from edge.contracts.topics import HOME
from edge.contracts.wire import HomeMessage
from edge.home.about import AUTOMATION, RELEASE, About, asked
from edge.process.mqtt_port import MqttPort
from edge.process.rate import RateLimit

log = structlog.get_logger()

WISHES = Counter(
    "roomkeeper_home_wishes",
    "Wishes from Home Assistant: taken, unknown, malformed, stale, flooded.",
    ["outcome"],
)

WHO = "home-assistant"
PERIOD_S = 1.0
"""State goes out at most this often."""
LOOK_S = 0.1
WISHES_PER_S = 10.0
FORGOTTEN_LIMIT = 500
SWITCH = GateRule("automation", values=("on", "off"))

_encoder = msgspec.json.Encoder()


def last_will(about: About) -> tuple[str, bytes]:
    """Return what the broker says when the room is gone: (topic, payload), retained."""
    return about.online, b"offline"


class Announcer:
    """Publishes `documents`, then the state whenever it changed, at most once a second.

    Posts OperatorAsked for each wish. What an earlier run announced and is no more is taken back;
    with documents = {} that is everything. Thread `home`; messages arrive on the link's thread.
    """

    name = "home"

    def __init__(
        self,
        about: About,
        documents: Mapping[str, bytes],
        link: MqttPort,
        told: Callable[[], HomeMessage],
        post: Callable[[Signal], None],
    ) -> None:
        self._about = about
        self._documents = documents
        self._link = link
        self._told = told
        self._post = post
        self._rules = {rule.actuator: rule for rule in about.rules}
        self._rate = RateLimit(WISHES_PER_S, 5 * WISHES_PER_S)
        self._lock = threading.Lock()
        self._forgotten: set[str] = set()
        self._greet = False
        self._said = b""
        self._changed = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self.name)
        link.when_up(self._link_up)
        link.subscribe(f"{about.prefix}/+/{about.node}/+/config", self._on_document)
        if documents:
            link.subscribe(about.wishes, self._on_wish)

    def start(self) -> None:
        """Begin to tell as soon as the link is up."""
        self._thread.start()

    def stop(self) -> None:
        """End at once; the link's last will says that the room is gone."""
        self._stop.set()
        self._changed.set()
        if self._thread.is_alive():
            self._thread.join(1.0)

    def poke(self) -> None:
        """Something may have changed; from any thread, never blocks."""
        self._changed.set()

    # The announcer's own thread.

    def _run(self) -> None:
        while not self._stop.is_set():
            pause = LOOK_S
            try:
                pause = self._round()
            except Exception:
                log.exception("announcing failed")
            self._stop.wait(pause)
            self._changed.wait(PERIOD_S)
            self._changed.clear()

    def _round(self) -> float:
        """Say what is due; return the seconds until there may be more."""
        with self._lock:
            greet, forgotten = self._greet, sorted(self._forgotten)
            self._greet = False
            self._forgotten.clear()
        for topic in forgotten:
            self._retain(topic, b"")
        if not self._documents:
            return LOOK_S
        if greet:
            self._said = b""
            if not self._introduce():
                with self._lock:
                    self._greet = True
                return PERIOD_S
        state = _encoder.encode(self._told())
        if state == self._said or not self._retain(self._about.state, state, HOME.qos):
            return LOOK_S
        self._said = state
        return PERIOD_S

    def _introduce(self) -> bool:
        said = [self._retain(topic, payload) for topic, payload in self._documents.items()]
        return all(said) and self._retain(self._about.online, b"online")

    def _retain(self, topic: str, payload: bytes, qos: int = 1) -> bool:
        return self._link.publish(topic, payload, qos=qos, retain=True)

    # The link's thread.

    def _link_up(self) -> None:
        with self._lock:
            self._greet = True
        self._changed.set()

    def _on_document(self, topic: str, payload: bytes, _retained: bool) -> None:
        if not payload or topic in self._documents:
            return
        with self._lock:
            if len(self._forgotten) < FORGOTTEN_LIMIT:
                self._forgotten.add(topic)
            if not self._documents:
                self._forgotten.update((self._about.state, self._about.online))
        self._changed.set()

    def _on_wish(self, topic: str, payload: bytes, retained: bool) -> None:
        WISHES.labels(self._wish(topic.rpartition("/")[2], payload, retained)).inc()

    def _wish(self, actuator: str, payload: bytes, retained: bool) -> str:
        # A wish that the broker kept was meant for another day.
        if retained:
            return "stale"
        if self._stop.is_set() or not self._rate.allow():
            return "flooded"
        try:
            signals = self._signals(actuator, payload)
        except ContractError as error:
            log.warning("wish from Home Assistant not understood", reason=str(error))
            return "malformed"
        for signal in signals:
            self._post(signal)
        return "taken" if signals else "unknown"

    def _signals(self, actuator: str, payload: bytes) -> list[OperatorAsked]:
        hold = self._about.hold_s
        if actuator == AUTOMATION:
            runs = asked(SWITCH, payload) == "on"
            return [OperatorAsked(WHO, "resume" if runs else "pause", WHO, seconds=hold)]
        if actuator == RELEASE:
            asked(SWITCH, payload)
            return [OperatorAsked(WHO, "release", WHO, actuator=name) for name in self._rules]
        rule = self._rules.get(actuator)
        if rule is None:
            return []
        value = asked(rule, payload)
        return [OperatorAsked(WHO, "set", WHO, actuator=actuator, value=value, seconds=hold)]
