"""Paho's client, set up as a session needs it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge.process.packets import publish_packet
from edge.process.sock import Buffered

CONNECT_TIMEOUT_S = 3.0
QUEUE_LIMIT = 1000
TOPIC_LIMIT = 65535
PACKET_LIMIT = 16 * 1024 * 1024
"""Bytes of the largest packet the broker may send at all; it drops larger ones for us."""


@dataclass(frozen=True, slots=True)
class Broker:
    """Where a broker is and how to prove who we are. ca, cert, key: paths of PEM files or ""."""

    host: str
    port: int
    username: str = ""
    password: str = ""
    ca: str = ""
    cert: str = ""
    key: str = ""


def connect_properties() -> Properties:
    """Return what a broker is told of us."""
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.MaximumPacketSize = PACKET_LIMIT
    return properties


def _buffer(client: paho.Client, _userdata: object, sock: object) -> None:
    # Paho reads a message in three pieces, each a call that gives up the interpreter's lock.
    client._sock = Buffered(sock)  # type: ignore[arg-type]


class Client(paho.Client):
    """Paho, and a short way out for a plain message: nearly all that is published is one.

    Paho makes a dozen objects for each, to send it again on another connection; here each
    connection has a client of its own. on_answer hears of the broker's word (mid, reason code) to
    what `send_now` sent.
    """

    on_answer: Callable[[int, int], None] = staticmethod(lambda _mid, _code: None)

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._unanswered: set[int] = set()

    def send_now(self, topic: bytes, payload: bytes, qos: int, retain: bool) -> int | None:
        """Write a message to the socket; return its number, None when paho is to have it instead.

        None: others wait before it, the broker has not answered enough, or it may be refused. QoS 0
        or 1. For who may enter paho.
        """
        if self._out_packet or self._sock is None or not _plain(topic, payload):
            return None
        if qos and not self._begin():
            return None
        mid = self._mid_generate()
        packet = publish_packet(mid, topic, payload, qos, retain, False)
        if qos:
            self._unanswered.add(mid)
        try:
            sent = self._sock_send(packet)
        except (OSError, ValueError):
            sent = 0  # paho finds out, and says so
        if sent < len(packet):
            # First of all: another thread may have left a packet there just now.
            rest = _held(packet, mid, qos, paho.MQTTMessageInfo(mid), sent)
            self._out_packet.appendleft(rest)
        self._last_msg_out = time.monotonic()
        return mid

    def _begin(self) -> bool:
        """Take one of the places that the broker has for what it did not answer yet."""
        with self._out_message_mutex:
            if self._inflight_messages >= self._max_inflight_messages:
                return False
            self._inflight_messages += 1
            return True

    def _mid_generate(self) -> int:
        mid = super()._mid_generate()
        while mid in self._unanswered or mid in self._out_messages:
            mid = super()._mid_generate()
        return mid

    def _send_publish(
        self,
        mid: int,
        topic: bytes,
        payload: bytes | bytearray = b"",
        qos: int = 0,
        retain: bool = False,
        dup: bool = False,
        info: paho.MQTTMessageInfo | None = None,
        properties: Properties | None = None,
    ) -> MQTTErrorCode:
        # Paho's own notes this in its log and wakes a thread that there is not.
        if self._sock is None:
            return MQTTErrorCode.MQTT_ERR_NO_CONN
        if properties is not None:
            return super()._send_publish(mid, topic, payload, qos, retain, dup, info, properties)
        packet = publish_packet(mid, topic, payload, qos, retain, dup)
        self._out_packet.append(_held(packet, mid, qos, info, 0))
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _handle_pubackcomp(self, cmd: Literal["PUBACK", "PUBCOMP"]) -> MQTTErrorCode:
        said = bytes(self._in_packet["packet"][:3])
        mid = int.from_bytes(said[:2], "big")
        if len(said) < 2 or mid not in self._unanswered:
            return super()._handle_pubackcomp(cmd)
        self._unanswered.discard(mid)
        self.on_answer(mid, said[2] if len(said) > 2 else 0)
        with self._out_message_mutex:
            self._inflight_messages -= 1
            # What paho holds back takes the place.
            return self._update_inflight()


def _held(packet: bytes, mid: int, qos: int, info: paho.MQTTMessageInfo | None, sent: int) -> Any:
    """Return a packet as paho keeps one of which `sent` bytes are gone."""
    return {
        "command": packet[0],
        "mid": mid,
        "qos": qos,
        "pos": sent,
        "to_process": len(packet) - sent,
        "packet": packet,
        "info": info,
    }


def _plain(topic: bytes, payload: bytes) -> bool:
    """Whether paho would take it as well."""
    short = 0 < len(topic) <= TOPIC_LIMIT and len(payload) < PACKET_LIMIT
    return short and b"+" not in topic and b"#" not in topic


def make_client(name: str, broker: Broker, will: tuple[str, bytes] | None) -> Client:
    """Return a client that is set up and not connected."""
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=name,
        protocol=paho.MQTTv5,
        reconnect_on_failure=False,
    )
    client.connect_timeout = CONNECT_TIMEOUT_S
    client.max_queued_messages_set(QUEUE_LIMIT)
    client.on_socket_open = _buffer
    if broker.username:
        client.username_pw_set(broker.username, broker.password or None)
    if broker.ca or broker.cert:
        client.tls_set(broker.ca or None, broker.cert or None, broker.key or None)
    if will is not None:
        client.will_set(will[0], will[1], qos=1, retain=True)
    return client
