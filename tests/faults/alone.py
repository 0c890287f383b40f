"""A room without its service: brokers, calendar, devices; the wire to the radiator overheard."""

import http.client
import json
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from edge.process.link import Broker, Link
from tests.faults.follower import Follower
from tests.faults.load import BOARDS, Load
from tests.world.site import ROOM, Media, Site, Wishes
from tests.world.supervisor import sweep


def _quiet(_who: str, _text: str) -> None:
    return


class Alone(Site):
    """A room whose boards see motion; `warmth` is what the radiator was told, in order, °C."""

    nodes = BOARDS

    def __init__(self, folder: Path, *, media: Media | None = None, journal: str = "") -> None:
        super().__init__(folder, Wishes(), _quiet, media or Media("", "", [(0.0, 0)]))
        self.journal = folder / (journal or "room.journal")
        self.warmth: list[float] = []
        self._lock = threading.Lock()
        self.load = Load(self.ports.room, ROOM)
        self._ear = Link("ear", Broker("127.0.0.1", self.ports.room))
        self._ear.subscribe("zigbee2mqtt/radiator/set", self._told)

    def up(self) -> None:
        """Start what a room needs without a service."""
        self._brokers()
        self._ear.start()
        self._calendar()
        self._devices()
        self._room()
        self.follower = Follower(self.journal)
        self.load.start()

    def _boards(self) -> None:
        """The load plays the boards."""

    def _told(self, _topic: str, payload: bytes, _retained: bool) -> None:
        told = msgspec.json.decode(payload, type=dict[str, Any])
        with self._lock:
            self.warmth.append(float(told["occupied_heating_setpoint"]))

    def health(self) -> dict[str, Any]:
        """Return what /healthz says, and its code as `code`."""
        try:
            url = f"http://127.0.0.1:{self.ports.edge}/healthz"
            try:
                answer = urllib.request.urlopen(url, timeout=2)
            except urllib.error.HTTPError as error:
                answer = error
            with answer:
                return {**json.load(answer), "code": answer.status}
        except (OSError, http.client.HTTPException):
            return {"code": 0, "unhealthy": {}}

    def unwell(self, source: str) -> str:
        """Return what is wrong with a source, "" when nothing is."""
        return str(self.health()["unhealthy"].get(source, ""))

    def meet(self, uid: str, seconds: float = 3600.0, start_in: float = 2.0) -> float:
        """Book a meeting that needs warmth; return its start."""
        start = float(int(time.time()) + start_in)
        self.book(uid, start, start + seconds, "Planning #demo")
        return start

    def __enter__(self) -> Self:
        try:
            self.up()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.load.running:
            self.load.stop()
        self._ear.stop()
        if hasattr(self, "follower"):
            self.follower.close()
        self.supervisor.close()
        sweep(str(self.folder))
