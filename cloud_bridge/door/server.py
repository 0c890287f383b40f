"""The door's web server: an event loop on a thread of its own, deaf to whom dawdles."""

import asyncio
import contextlib
import threading
from collections.abc import Callable

import structlog
from aiohttp import web

from cloud_bridge.door import DoorError

log = structlog.get_logger()
CONNECTIONS = 256
HEAD_S = 10.0
IDLE_S = 15.0
STOP_S = 0.5
START_S = 10.0
LINE_LIMIT = 4096
END = b"\r\n\r\n"


class DoorServer:
    """Serves the application that `make` builds inside the loop; port 0 takes a free one."""

    def __init__(self, host: str, port: int, make: Callable[[], web.Application]) -> None:
        self._host, self._port = host, port
        self._make = make
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._up = threading.Event()
        self._failed = ""
        self._address = ("", 0)
        self._thread = threading.Thread(target=self._run, name="door", daemon=True)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port it listens on."""
        return self._address

    def start(self) -> None:
        """Serve; raise DoorError when it cannot listen."""
        self._thread.start()
        if not self._up.wait(START_S):
            self._failed = f"not up within {START_S:g} s"
        if self._failed:
            self.stop()
            raise DoorError(
                f"door: cannot listen on {self._host} port {self._port}: {self._failed}"
            )

    def stop(self) -> None:
        """End every page and screen, within a second."""
        if self._thread.is_alive():
            with contextlib.suppress(RuntimeError):  # its loop has just been closed
                self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(1.0)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except Exception as error:
            if self._up.is_set():
                log.exception("the door has ended")
            self._failed = str(error) or repr(error)
        finally:
            self._up.set()
            self._loop.close()

    async def _serve(self) -> None:
        runner = web.AppRunner(
            self._make(), access_log=None, keepalive_timeout=IDLE_S, shutdown_timeout=STOP_S,
            max_line_size=LINE_LIMIT, max_field_size=LINE_LIMIT, max_headers=64,
        )  # fmt: skip
        await runner.setup()
        web_server = runner.server
        if web_server is None:
            raise OSError("the door's application was not set up")
        open_now: set[_Patient] = set()
        try:
            if self._failed:  # too late: nobody waits for it any more
                return
            server = await self._loop.create_server(
                lambda: _Patient(web_server(), open_now), self._host, self._port, backlog=64
            )
            self._address = server.sockets[0].getsockname()[:2]
            log.info("page listens", page="door", host=self._address[0], port=self._address[1])
            self._up.set()
            await self._stopping.wait()
            server.close()
        finally:
            await runner.cleanup()


class _Patient(asyncio.Protocol):
    """Waits for a request's head for so long, and lets in so many; the rest is aiohttp's."""

    def __init__(self, inner: asyncio.Protocol, open_now: "set[_Patient]") -> None:
        self._inner = inner
        self._open = open_now
        self._tail = b""
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._open.add(self)
        self._inner.connection_made(transport)
        if not isinstance(transport, asyncio.Transport):
            return
        if len(self._open) > CONNECTIONS:
            transport.abort()
            return
        loop = asyncio.get_running_loop()
        self._late = loop.call_later(HEAD_S, transport.abort)

    def data_received(self, data: bytes) -> None:
        if self._late is not None:
            self._tail = (self._tail + data)[-(len(END) - 1) - len(data) :]
            if END in self._tail:
                self._heard()
        self._inner.data_received(data)

    def _heard(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late, self._tail = None, b""

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._heard()
        self._open.discard(self)
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()
