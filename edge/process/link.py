"""An MQTT 5 link that comes back by itself: what a process publishes and subscribes through."""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import structlog
from paho.mqtt.client import topic_matches_sub
from prometheus_client import Counter

from edge.contracts.topics import PAYLOAD_LIMIT
from edge.process.backoff import Backoff
from edge.process.client import Broker
from edge.process.counting import counting
from edge.process.packets import Message
from edge.process.session import OnAck, Session

__all__ = ["PAYLOAD_LIMIT", "Broker", "Link"]

log = structlog.get_logger()

Handler = Callable[[str, bytes, bool], None]

OUTCOMES = ("handled", "too_large", "failed", "unwanted")
MESSAGES = Counter(
    "roomkeeper_mqtt_messages",
    f"Messages received, by what became of them: {', '.join(OUTCOMES)}.",
    ["link", "outcome"],
)
CONNECTS = Counter(
    "roomkeeper_mqtt_connects", "Connection attempts, by result: up, lost.", ["link", "result"]
)
REFUSED = Counter(
    "roomkeeper_mqtt_refused", "Subscriptions and publishes a broker refused.", ["link", "what"]
)

TOPICS_KEPT = 4096
STABLE_S = 5.0
"""A connection that lived this long ended by new misfortune: the next wait is short again."""


OnHealth = Callable[[Literal["ok", "lost"], str], None]
OnUp = Callable[[], None]
Reading = Callable[[], AbstractContextManager[None]]


def _matches(topic_filter: str, topic: str) -> bool:
    wild = "+" in topic_filter or "#" in topic_filter
    return wild and topic_matches_sub(topic_filter, topic)


class Link:
    """An MQTT 5 connection that comes back by itself; a broker that is away never raises.

    name: also the client id, so it is unique per broker (a twin would throw this one out).
    will: (topic, payload), retained, published by the broker when the link dies or stops.
    on_health, on_up and handlers run on the link's thread "mqtt-<name>"; on_up follows every
    (re)connection once the subscriptions stand.
    """

    def __init__(
        self,
        name: str,
        broker: Broker,
        *,
        will: tuple[str, bytes] | None = None,
        on_health: OnHealth | None = None,
        on_up: OnUp | None = None,
        payload_limit: int = PAYLOAD_LIMIT,
    ) -> None:
        self.name = name
        self._payload_limit = payload_limit
        self._broker = broker
        self._will = will
        self._on_health = (on_health,) if on_health else ()
        self._on_up = (on_up,) if on_up else ()
        self._reading: Reading = nullcontext
        # A label look-up per message costs as much as handing the message on.
        self._counts = {what: counting(MESSAGES.labels(name, what)) for what in OUTCOMES}
        self._handlers: dict[str, tuple[int, tuple[Handler, ...]]] = {}
        self._known: dict[str, tuple[Handler, ...]] = {}
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._stop = threading.Event()
        self._backoff = Backoff(first=0.2, cap=5.0)
        self._health: Literal["ok", "lost", ""] = ""
        # A name look-up cannot be interrupted, so this thread must not hold up the process's end.
        self._thread = threading.Thread(target=self._run, name=f"mqtt-{name}", daemon=True)

    @property
    def connected(self) -> bool:
        """Whether the broker accepted us and answered our subscriptions."""
        session = self._session
        return session is not None and session.up

    def when_health(self, listener: OnHealth) -> None:
        """Call `listener` too when the health changes; before start."""
        self._on_health = (*self._on_health, listener)

    def when_up(self, listener: OnUp) -> None:
        """Call `listener` too after every (re)connection; before start."""
        self._on_up = (*self._on_up, listener)

    def when_reading(self, reading: Reading) -> None:
        """Hand on what the broker sent at once inside `reading()`; before start."""
        self._reading = reading

    def subscribe(self, topic_filter: str, handler: Handler, qos: int = 1) -> None:
        """Call handler(topic, payload, retained) for what matches, before or after start.

        Payloads over payload_limit are counted and dropped; so is a handler's exception.
        """
        with self._lock:
            known_qos, handlers = self._handlers.get(topic_filter, (0, ()))
            changed = {topic_filter: (max(qos, known_qos), (*handlers, handler))}
            # What was found before is found anew; who is at it has the old one in hand.
            self._handlers, self._known = {**self._handlers, **changed}, {}
            session = self._session
        if session is not None:
            session.subscribe(topic_filter, max(qos, known_qos))

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 1,
        retain: bool = False,
        on_ack: OnAck | None = None,
    ) -> bool:
        """Hand a message to the connection; False when there is none, and nothing is kept.

        on_ack(reason_code) follows on the link's thread when the broker answers (>= 0x80: refused)
        and never when the connection ends before that: what must arrive is sent again by its owner.
        """
        session = self._session
        return session is not None and session.publish(topic, payload, qos, retain, on_ack)

    def start(self) -> None:
        """Begin to connect, for ever."""
        self._thread.start()

    def stop(self) -> None:
        """End the connection within 1 s, after what was published; the last will is published."""
        self._stop.set()
        session = self._session
        if session is not None:
            session.close()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(1.0)

    def _run(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            reason = self._attempt()
            if self._stop.is_set():
                return
            CONNECTS.labels(self.name, "lost").inc()
            self._tell_health("lost", reason)
            if time.monotonic() - began > STABLE_S:
                self._backoff.reset()
            self._stop.wait(self._backoff.next())

    def _attempt(self) -> str:
        try:
            self._session = Session(
                self.name,
                self._broker,
                self._will,
                self._filters,
                self._dispatch,
                self._came_up,
                self._subscription_refused,
                self._reading,
            )
            return self._session.run(self._stop)
        except (OSError, ValueError) as error:
            return str(error)
        except Exception as error:
            # paho's parser answers a hostile broker with whatever exception comes first.
            log.exception("connection failed", link=self.name)
            return repr(error)
        finally:
            self._session = None

    def _filters(self) -> list[tuple[str, int]]:
        return [(topic_filter, qos) for topic_filter, (qos, _) in self._handlers.items()]

    def _came_up(self) -> None:
        CONNECTS.labels(self.name, "up").inc()
        self._tell_health("ok", "")
        for listener in self._on_up:
            try:
                listener()
            except Exception:
                log.exception("on_up failed", link=self.name)

    def _subscription_refused(self, count: int) -> None:
        REFUSED.labels(self.name, "subscribe").inc(count)
        log.error("subscription refused: check the broker's ACL", link=self.name, filters=count)

    def _tell_health(self, health: Literal["ok", "lost"], reason: str) -> None:
        if health == self._health:
            return
        self._health = health
        log.info("link changed", link=self.name, health=health, reason=reason)
        for listener in self._on_health:
            try:
                listener(health, reason)
            except Exception:
                log.exception("on_health failed", link=self.name)

    def _dispatch(self, message: Message) -> None:
        topic, payload, retained = message
        if not topic:
            self._counts["failed"]()
            return
        if len(payload) > self._payload_limit:
            self._counts["too_large"]()
            return
        outcome = "unwanted"
        for handler in self._hearers(topic):
            outcome = self._call(handler, topic, payload, retained)
        self._counts[outcome]()

    def _hearers(self, topic: str) -> tuple[Handler, ...]:
        """Return who hears of a topic; kept, as devices speak of the same again and again."""
        known = self._known
        found = known.get(topic)
        if found is None:
            hearers = [
                handlers
                for topic_filter, (_, handlers) in self._handlers.items()
                if topic_filter == topic or _matches(topic_filter, topic)
            ]
            found = tuple(handler for handlers in hearers for handler in handlers)
            if len(known) >= TOPICS_KEPT:
                known.clear()
            known[topic] = found
        return found

    def _call(self, handler: Handler, topic: str, payload: bytes, retained: bool) -> str:
        try:
            handler(topic, payload, retained)
        except Exception:
            log.exception("message handler failed", link=self.name, topic=topic)
            return "failed"
        return "handled"
