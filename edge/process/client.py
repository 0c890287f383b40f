"""Paho's client, set up as a session needs it."""

from dataclasses import dataclass

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge.process.sock import Buffered

CONNECT_TIMEOUT_S = 3.0
QUEUE_LIMIT = 1000
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


def make_client(name: str, broker: Broker, will: tuple[str, bytes] | None) -> paho.Client:
    """Return a client that is set up and not connected."""
    client = paho.Client(
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
