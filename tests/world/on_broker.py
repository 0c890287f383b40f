"""What every simulated MQTT device is: a process on a broker with a last will, until SIGTERM."""

import signal
import threading
from collections.abc import Callable

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

DELAY_S = 0.05
"""What a device and its radio take to answer."""


class Device:
    """A client that says `here` when connected and leaves `gone` behind: (topic, payload).

    `heard(topic, payload)` gets what arrives on `filters`, on the client's thread.
    """

    def __init__(
        self,
        port: int,
        filters: list[str],
        heard: Callable[[str, bytes], None],
        greet: Callable[[], None],
        here: tuple[str, str],
        gone: tuple[str, str],
    ) -> None:
        self._port = port
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._client.will_set(*gone, qos=1, retain=True)
        self._gone = gone

        def connected(*_: object) -> None:
            for topic in filters:
                self._client.subscribe(topic, 1)
            self.say(here[0], here[1].encode(), retain=True)
            greet()

        self._client.on_connect = connected
        self._client.on_message = lambda _c, _d, m: heard(m.topic, bytes(m.payload))
        self._client.reconnect_delay_set(1, 2)

    def say(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish."""
        self._client.publish(topic, payload, 1, retain)

    def later(self, what: Callable[[], None], seconds: float = DELAY_S) -> None:
        """Do it as soon as the device would."""
        timer = threading.Timer(seconds, what)
        timer.daemon = True
        timer.start()

    def run(self) -> None:
        """Live until SIGTERM or SIGINT, then say goodbye as a last will would."""
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        self._client.connect_async("127.0.0.1", self._port)
        self._client.loop_start()
        stop.wait()
        self.say(self._gone[0], self._gone[1].encode(), retain=True)
        self._client.disconnect()
        self._client.loop_stop()
