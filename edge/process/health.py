"""A process's own page: /healthz for the supervisor, /metrics for Prometheus."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

log = structlog.get_logger()

Status = Callable[[], dict[str, object]]


class _Handler(BaseHTTPRequestHandler):
    timeout = 5.0
    server: "_Server"

    def do_GET(self) -> None:
        if self.path == "/healthz":
            code, body = self.server.healthz()
            self._answer(code, "application/json", body)
        elif self.path == "/metrics":
            self._answer(200, CONTENT_TYPE_LATEST, generate_latest())
        else:
            self._answer(404, "text/plain", b"only /healthz and /metrics\n")

    def _answer(self, code: int, kind: str, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        log.debug("health request", line=format % args)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], status: Status) -> None:
        super().__init__(address, _Handler)
        self._status = status

    def healthz(self) -> tuple[int, bytes]:
        try:
            status = self._status()
            return (200 if status.get("ok") is True else 503), msgspec.json.encode(status)
        except Exception as error:
            log.exception("status could not be told")
            return 503, msgspec.json.encode({"ok": False, "error": repr(error)})

    def handle_error(self, request: object, client_address: object) -> None:
        log.debug("health client went away", request=repr(request), client=str(client_address))


class HealthServer:
    """Serves `status()` as JSON on /healthz (200 when its "ok" is true, else 503) and /metrics."""

    def __init__(self, host: str, port: int, status: Status) -> None:
        try:
            self._server = _Server((host, port), status)
        except OSError as error:
            where = f"the health page on {host}:{port}: {error.strerror}"
            raise OSError(error.errno, where) from error
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._serve, name="health", daemon=False)

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=0.1)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop within 1 s and free the port; harmless when never started."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(1.0)
        self._server.server_close()
