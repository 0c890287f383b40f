"""A page's web server: waitress on a thread of its own, with room for its event streams."""

import threading

import structlog
from flask import Flask
from waitress import wasyncore
from waitress.server import MultiSocketServer, create_server

from edge.process.web import WebError
from edge.process.web.guard import BODY_LIMIT
from edge.process.web.pulse import Pulse

log = structlog.get_logger()
SPARE_THREADS = 4
"""Threads beyond those that streams can take, so that a form is always answered."""
HEADER_LIMIT = 16 * 1024
LOOK_S = 0.2


class WebServer:
    """Serves `app` until `stop`; `port` 0 takes a free one, `address` says which.

    name: of its thread and in its errors. Raises WebError when it cannot listen.
    """

    def __init__(
        self, name: str, host: str, port: int, app: Flask, pulse: Pulse, streams: int = 8
    ) -> None:
        self._name = name
        self._pulse = pulse
        self._stopping = threading.Event()
        self._sockets: dict[int, object] = {}
        try:
            self._server = create_server(
                app,
                map=self._sockets,
                host=host,
                port=port,
                threads=streams + SPARE_THREADS,
                connection_limit=8 * (streams + SPARE_THREADS),
                channel_timeout=30,
                cleanup_interval=5,
                max_request_header_size=HEADER_LIMIT,
                max_request_body_size=2 * BODY_LIMIT,
                ident=None,
                # Reading on while a request runs is how a stream learns that its browser left.
                channel_request_lookahead=1,
            )
        except (OSError, ValueError) as error:
            raise WebError(f"{name}: cannot listen on {host} port {port}: {error}") from error
        self._thread = threading.Thread(target=self._run, name=name)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port it listens on."""
        server = self._server
        if isinstance(server, MultiSocketServer):
            host, port = server.effective_listen[0]
        else:
            host, port = server.effective_host, server.effective_port
        return str(host), int(port)

    def start(self) -> None:
        """Serve."""
        self._thread.start()
        log.info("page listens", page=self._name, host=self.address[0], port=self.address[1])

    def stop(self) -> None:
        """End every stream, then the server; within a second."""
        self._pulse.close()
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=1.0)

    def _run(self) -> None:
        while not self._stopping.is_set():
            wasyncore.loop(timeout=LOOK_S, map=self._sockets, count=1)
        self._server.task_dispatcher.shutdown(timeout=LOOK_S)
        wasyncore.close_all(self._sockets, ignore_all=True)
