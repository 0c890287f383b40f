"""One MQTT 5 connection, from CONNECT to its end. Link makes a new one for every attempt."""

import contextlib
import math
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager

import paho.mqtt.client as paho
import structlog
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge.process.client import Broker, connect_properties, make_client
from edge.process.packets import Message
from edge.process.sock import Buffered

log = structlog.get_logger()

KEEPALIVE_S = 10
LOOP_S = 0.5
CLOSE_S = 0.5
READ_AT_ONCE = 256
"""Messages taken before what they caused is done and written."""

OnAck = Callable[[int], None]
OnMessage = Callable[[Message], None]


class Session:
    """A single connection; `run` owns the network, the other methods may come from any thread.

    Paho is entered by one thread at a time: the one that runs, or, while that one only waits for
    the network, one that publishes, so that a message is on its way when `publish` returns.
    """

    def __init__(
        self,
        name: str,
        broker: Broker,
        will: tuple[str, bytes] | None,
        filters: Callable[[], list[tuple[str, int]]],
        on_message: OnMessage,
        on_up: Callable[[], None],
        on_refused: Callable[[int], None],
        reading: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
    ) -> None:
        self.up = False
        self.reason = ""
        self._accepted = False
        self._broker = broker
        self._filters = filters
        self._on_up = on_up
        self._on_refused = on_refused
        self._reading = reading
        self._lock = threading.Lock()
        self._waiting: dict[int, OnAck] = {}
        self._acked: deque[tuple[int, int]] = deque()
        self._inside = threading.Lock()
        self._look_at = 0.0
        """When paho is to see next whether the broker still lives."""
        # First what may fail, as for a certificate that is none: `run` closes the other.
        self._client = make_client(name, broker, will)
        self._wake_at = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        # Present so that paho never writes on its own where a message is handed to it.
        self._client.on_socket_register_write = lambda *_: None
        self._client.on_connect = self._connected
        self._client.on_subscribe = self._subscribed
        self._client.on_disconnect = self._disconnected
        self._client.on_publish = self._published
        self._client.on_answer = self._answered
        self._client.on_message = self._received
        self._on_message = on_message

    def run(self, stop: threading.Event) -> str:
        """Connect and serve until the connection ends or `stop` is set; return why it ended."""
        try:
            self._client.connect(
                self._broker.host,
                self._broker.port,
                keepalive=KEEPALIVE_S,
                clean_start=True,
                properties=connect_properties(),
            )
            return self._serve(stop)
        except (OSError, ValueError) as error:
            return f"{self._broker.host}:{self._broker.port}: {error}"
        finally:
            self.up = False
            left_open = self._client.socket()
            if left_open is not None:
                left_open.close()
            with self._inside:
                os.close(self._wake_at)
                self._wake_at = -1

    def _serve(self, stop: threading.Event) -> str:
        give_up = math.inf
        while True:
            code = self._turn()
            if self._acked:
                self._deliver_acks()
            if code != paho.MQTT_ERR_SUCCESS:
                return self.reason or paho.error_string(code)
            if stop.is_set():
                give_up = min(give_up, time.monotonic() + CLOSE_S)
                if time.monotonic() >= give_up:
                    return "stopped"

    def _turn(self) -> MQTTErrorCode:
        """Wait for the network or for something to write, and serve it."""
        client = self._client
        sock = client.socket()
        if not isinstance(sock, Buffered):
            return paho.MQTT_ERR_NO_CONN
        network = sock.fileno()
        writing = [network] if client.want_write() else []
        wait = 0.0 if sock.pending() else LOOP_S
        readable, _, _ = select.select([network, self._wake_at], writing, [], wait)
        # What follows from the messages comes at the end of `reading`, when others may write.
        with self._reading(), self._inside:
            if self._wake_at in readable:
                os.eventfd_read(self._wake_at)
            code = paho.MQTT_ERR_SUCCESS
            if network in readable or sock.pending():
                sock.fill()
                code = self._read(sock)
            if code == paho.MQTT_ERR_SUCCESS and client.want_write():
                code = client.loop_write()
        # Nobody waits for the rest.
        sock.acknowledge_now()
        if code == paho.MQTT_ERR_SUCCESS and time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOP_S
            with self._inside:
                code = client.loop_misc()
        return code

    def _read(self, sock: Buffered) -> MQTTErrorCode:
        left = READ_AT_ONCE
        while left > 0:
            # Between two packets: paho holds no half of one.
            if not self._client._in_packet["command"]:
                for message in sock.messages(left):
                    left -= 1
                    self._on_message(message)
                # Whether the broker lives, paho knows by what it reads itself.
                self._client._last_bytes_received = time.monotonic()
            if left <= 0 or (left < READ_AT_ONCE and not sock.pending()):
                break
            left -= 1
            if (code := self._client.loop_read()) != paho.MQTT_ERR_SUCCESS:
                return code
            if not sock.pending():
                break
        return paho.MQTT_ERR_SUCCESS

    def _flush(self) -> None:
        """Write what waits, here and now if nobody else is at it."""
        if self._inside.acquire(blocking=False):
            try:
                if self._wake_at >= 0:
                    self._client.loop_write()
                    if not self._client.want_write():
                        return
                    os.eventfd_write(self._wake_at, 1)
            finally:
                self._inside.release()
            return
        self._wake()

    def _wake(self) -> None:
        # The connection may end at any time, and its descriptor with it (-1: a ValueError).
        with contextlib.suppress(OSError, ValueError):
            os.eventfd_write(self._wake_at, 1)

    def _deliver_acks(self) -> None:
        while self._acked:
            mid, code = self._acked.popleft()
            with self._lock:
                on_ack = self._waiting.pop(mid, None)
            if on_ack is None:
                continue
            try:
                on_ack(code)
            except Exception:
                log.exception("on_ack failed", broker=self._broker.host)

    def publish(
        self, topic: str, payload: bytes, qos: int, retain: bool, on_ack: OnAck | None
    ) -> bool:
        """Hand one message to the connection; False when it is not up or too much waits."""
        if not self.up:
            return False
        # The network thread takes this lock only outside paho's own, so the order is one-way.
        with self._lock:
            mid = self._send_now(topic, payload, qos, retain)
            waits = mid is None
            if mid is None:
                info = self._client.publish(topic, payload, qos, retain)
                if info.rc != paho.MQTT_ERR_SUCCESS:
                    return False
                mid = info.mid
            if qos and on_ack is not None:
                self._waiting[mid] = on_ack
        if waits or self._client.want_write():
            self._flush()
        return True

    def _send_now(self, topic: str, payload: bytes, qos: int, retain: bool) -> int | None:
        """Write a message, here and now if nobody else is at it; None: paho is to have it."""
        if qos > 1 or not self._inside.acquire(blocking=False):
            return None
        try:
            if self._wake_at < 0:
                return None
            return self._client.send_now(topic.encode(), payload, qos, retain)
        finally:
            self._inside.release()

    def subscribe(self, topic_filter: str, qos: int) -> None:
        """Add a filter to a connection the broker accepted; before that, `filters` names it."""
        if self._accepted:
            self._client.subscribe(topic_filter, qos)
            self._flush()

    def close(self) -> None:
        """Say goodbye after what was published; the broker then publishes the last will."""
        goodbye = ReasonCode(PacketTypes.DISCONNECT, identifier=0x04)
        self._client.disconnect(reasoncode=goodbye)
        self._wake()

    def _connected(
        self,
        client: paho.Client,
        _userdata: object,
        _flags: paho.ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self.reason = f"the broker refused: {reason}"
            return
        self._accepted = True
        filters = self._filters()
        if filters:
            client.subscribe(filters)
        else:
            self._come_up()

    def _subscribed(
        self,
        _client: paho.Client,
        _userdata: object,
        _mid: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        refused = sum(1 for reason in reasons if reason.is_failure)
        if refused:
            self._on_refused(refused)
        self._come_up()

    def _come_up(self) -> None:
        if not self.up:
            self.up = True
            self._on_up()

    def _disconnected(
        self,
        _client: paho.Client,
        _userdata: object,
        _flags: paho.DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self.up = False
        self.reason = self.reason or f"the connection ended: {reason}"

    def _received(self, _client: paho.Client, _userdata: object, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            # One that nobody can have subscribed to; an empty name says as much.
            topic = ""
        self._on_message(Message(topic, bytes(message.payload), message.retain))

    def _published(
        self,
        _client: paho.Client,
        _userdata: object,
        mid: int,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._acked.append((mid, int(reason.value)))

    def _answered(self, mid: int, code: int) -> None:
        self._acked.append((mid, code))
