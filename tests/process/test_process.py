"""Logs, health page and clean end, as a process sees them."""

import contextlib
import io
import json
import logging
import os
import signal
import urllib.error
import urllib.request

import pytest
import structlog
from prometheus_client import REGISTRY

from edge.process import logs, stop
from edge.process.health import HealthServer


def get(port: int, path: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_health_follows_the_status_and_metrics_are_told() -> None:
    status: dict[str, object] = {"ok": True, "room": "r1"}
    server = HealthServer("127.0.0.1", 0, lambda: status)
    server.start()
    try:
        assert get(server.port, "/healthz") == (200, b'{"ok":true,"room":"r1"}')
        status["ok"] = False
        assert get(server.port, "/healthz")[0] == 503
        assert b"python_info" in get(server.port, "/metrics")[1]
        assert get(server.port, "/else")[0] == 404
    finally:
        server.stop()
    with pytest.raises(OSError, match="refused"):
        get(server.port, "/healthz")


def test_a_status_that_raises_is_unhealthy() -> None:
    def raises() -> dict[str, object]:
        raise RuntimeError("broken")

    server = HealthServer("127.0.0.1", 0, raises)
    server.start()
    try:
        code, body = get(server.port, "/healthz")
        assert (code, json.loads(body)["ok"]) == (503, False)
    finally:
        server.stop()


@pytest.fixture
def _restored_logging():  # type: ignore[no-untyped-def]
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("_restored_logging")
def test_our_lines_and_a_librarys_are_json_and_name_the_process() -> None:
    out = io.StringIO()
    logs.setup("edge", "info", out)
    structlog.get_logger().info("ours", room="r1")
    structlog.get_logger().debug("too quiet")
    logging.getLogger("library").warning("theirs %d", 2)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [(line["event"], line["process"]) for line in lines] == [
        ("ours", "edge"),
        ("theirs 2", "edge"),
    ]
    assert lines[0]["room"] == "r1"


@pytest.mark.usefixtures("_restored_logging")
def test_a_log_that_cannot_be_written_is_counted_and_hurts_nobody() -> None:
    def lost() -> float:
        return REGISTRY.get_sample_value("roomkeeper_log_lines_lost_total") or 0.0

    before = lost()
    full = open("/dev/full", "w", buffering=1)  # noqa: SIM115
    logs.setup("edge", "info", full)
    structlog.get_logger().error("nobody reads this")
    logging.getLogger("library").error("nor this")
    assert lost() - before >= 2
    with contextlib.suppress(OSError):
        full.close()


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="warning"):
        logs.setup("edge", "loud")


def test_a_signal_sets_the_event() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        event = stop.install()
        assert not event.is_set()
        os.kill(os.getpid(), signal.SIGTERM)
        assert event.wait(2)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
