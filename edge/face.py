"""The room's panel, wired: what it shows, where it listens, and what wakes it."""

from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog

from edge.config_schema import RoomConfig
from edge.contracts.base import Now
from edge.contracts.decision import Decision
from edge.contracts.signals import Signal
from edge.decide.core import CoreSettings, CoreState
from edge.panel import PanelError
from edge.panel.options import Options
from edge.panel.pages import create_panel
from edge.panel.past import Recent
from edge.panel.pulse import Pulse
from edge.panel.server import PanelServer

log = structlog.get_logger()
LOCAL = ("localhost", "127.0.0.1", "[::1]")


class Face:
    """The touch panel of one room; nothing runs when the configuration switches it off."""

    name = "panel"

    def __init__(
        self,
        config: RoomConfig,
        settings: CoreSettings,
        state: Callable[[], CoreState],
        post: Callable[[Signal], None],
        clock: Callable[[], Now],
    ) -> None:
        self.refused: list[tuple[str, str]] = []
        self._pulse = Pulse()
        self._recent = Recent(clock)
        self._server: PanelServer | None = None
        if not config.panel.enabled:
            return
        try:
            self._server = self._built(config, settings, state, post, clock)
        except PanelError as error:
            # A room without its face is still a room.
            log.error("panel cannot run", reason=str(error))
            self.refused.append((self.name, str(error)))

    def _built(
        self,
        config: RoomConfig,
        settings: CoreSettings,
        state: Callable[[], CoreState],
        post: Callable[[Signal], None],
        clock: Callable[[], Now],
    ) -> PanelServer:
        section = config.panel
        app = create_panel(
            state=state,
            settings=settings,
            post=post,
            now=clock,
            history=self._recent.last,
            pulse=self._pulse,
            options=Options(
                name=config.room.name or config.room.id,
                zone=ZoneInfo(config.room.timezone),
                seats=config.room.seats,
                titles=section.titles,
                twelve_hours=section.twelve_hours,
                language=section.language,
                hosts=(*LOCAL, *section.hosts),
                streams=section.streams,
                hold_s=section.hold_s,
                door=config.machines.door,
            ),
            theme=Path(section.theme),
        )
        return PanelServer(section.host, section.port, app, self._pulse, section.streams)

    @property
    def address(self) -> str:
        """Where the panel is, "" when it is switched off."""
        if self._server is None:
            return ""
        host, port = self._server.address
        return f"http://{host}:{port}/"

    def watch(self, decision: Decision | None) -> None:
        """Runs on whoever takes a step, after it, once after a crowd; never blocks."""
        if self._server is not None:
            self._recent.keep(decision)
            self._pulse.beat()

    def start(self) -> None:
        """Serve."""
        if self._server is not None:
            self._server.start()

    def stop(self) -> None:
        """End every stream and the server."""
        if self._server is not None:
            self._server.stop()
