"""A room with its panel: the real loop, core and web server, and a clock that tests turn."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

from edge.actuators.gate import Gate
from edge.contracts.base import Now
from edge.contracts.decision import Decision
from edge.contracts.gating import GateRule
from edge.contracts.signals import CalendarRead, ClockChecked, Meeting, Signal, Woke
from edge.decide.core import CoreSettings, CoreState
from edge.decide.policy import Policy
from edge.decide.step import Core
from edge.inbox import Inbox
from edge.loop import Loop
from edge.meetings.life import MeetingRules
from edge.panel.options import Options
from edge.panel.pages import create_panel
from edge.panel.past import Recent
from edge.panel.pulse import Pulse
from edge.panel.server import PanelServer
from edge.steps import Ports
from tests.world.room import POLICY, SETTINGS
from tests.world.waiting import until

NOON = 1_779_966_720.0
"""Thursday, 28 May 2026, 13:12 in Berlin."""
THEME = Path(__file__).parents[2] / "config" / "theme"
BERLIN = ZoneInfo("Europe/Berlin")
OPTIONS = Options("Aurora", BERLIN, seats=8)
ROOM = replace(
    SETTINGS,
    fallbacks={"light.main": 0, "climate.setpoint": 18.0},
    gate=(
        GateRule("light.main", 0, 100, rate_per_min=30),
        GateRule("climate.setpoint", 15, 28, rate_per_min=12),
        GateRule("vm/*", values=("demo-small",)),
    ),
    policy=POLICY,
    meetings=MeetingRules(empty_end_s=120.0),
    plugins={},
)


def meeting(uid: str, start_min: float, minutes: float = 30, **more: object) -> Meeting:
    """Return a meeting that starts `start_min` minutes after NOON."""
    start = NOON + start_min * 60
    values = {"title": "Weekly planning", "organiser": "Mira Okafor", **more}
    return Meeting(uid=uid, start=start, end=start + minutes * 60, **values)


class Door:
    """Started by entering; `say` returns once the loop has taken the signals."""

    def __init__(
        self, settings: CoreSettings = ROOM, options: Options = OPTIONS, wall: float = NOON
    ) -> None:
        self.wall, self.mono, self.trusted = wall, 5000.0, True
        self.pulse = Pulse()
        self.recent = Recent(self.now)
        self.options = options
        self.settings = settings
        self._taken = 0
        self._seen = threading.Lock()
        self._inbox = Inbox(lambda: self.mono)
        core = Core(settings, Policy(settings.policy), Gate(settings.gate))
        ports = Ports(
            record=_record,
            call=lambda *_: None,
            command=lambda _: None,
            write=lambda _: None,
            wanted=lambda _: None,
            watch=self._watch,
        )
        self.loop = Loop(core, CoreState(), self._inbox, ports, self.now)
        self.app = create_panel(
            state=lambda: self.loop.state,
            settings=settings,
            post=self._inbox.post,
            now=self.now,
            history=self.recent.last,
            pulse=self.pulse,
            options=options,
            theme=THEME,
        )
        self.server: PanelServer | None = None

    @property
    def url(self) -> str:
        assert self.server is not None
        host, port = self.server.address
        return f"http://{host}:{port}"

    def __enter__(self) -> "Door":
        self.loop.start(1, "hash")
        return self

    def __exit__(self, *_: object) -> None:
        if self.server is not None:
            self.server.stop()
        self.loop.stop()

    def serve(self, port: int = 0) -> "Door":
        """Open the door's web server on loopback."""
        self.server = PanelServer("127.0.0.1", port, self.app, self.pulse, self.options.streams)
        self.server.start()
        return self

    def now(self) -> Now:
        return Now(self.wall, self.mono, self.trusted)

    def say(self, *signals: Signal) -> None:
        for signal in signals:
            with self._seen:
                before = self._taken
            self.mono += 1.5  # a level is taken once a second
            self._inbox.post(signal)
            until(lambda at=before: self._taken > at, what="the loop takes the signal")

    def pass_time(self, seconds: float, *every: Signal) -> None:
        """Let time pass in steps of half a minute; `every` is repeated at each."""
        end = self.wall + seconds
        while self.wall < end:
            stride = min(30.0, end - self.wall)
            self.wall += stride
            self.mono += stride
            self.say(*every, Woke())
            self.mono = max(self.mono, 5000.0)

    def calendar(self, *meetings: Meeting) -> None:
        self.say(ClockChecked("clock", True), CalendarRead("calendar", meetings))

    def _watch(self, _: Signal, decision: Decision | None, __: CoreState) -> None:
        self.recent.keep(decision)
        with self._seen:
            self._taken += 1
        self.pulse.beat()


Scene = Callable[[Door], None]


def _record(_: object, release: Callable[[], None] | None, _more: bool) -> None:
    if release is not None:
        release()
