"""Whether a part of the world is there: asked from outside, and waited for."""

import http.client
import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tests.world.waiting import until

PAUSE_S = 0.045
"""Between two looks: what is looked at needs the processor, too."""


class SiteError(Exception):
    """A part of the site did not come up; the text names its log."""


def wait_for(what: str, done: Callable[[], bool], seconds: float, log: Path | None = None) -> None:
    """Poll `done` until it holds; raise SiteError with the end of `log` when it never does."""

    def seldom() -> bool:
        found = done()
        if not found:
            time.sleep(PAUSE_S)
        return found

    try:
        until(seldom, seconds, what)
    except AssertionError as error:
        tail = log.read_text(errors="replace")[-3000:] if log and log.exists() else ""
        raise SiteError(f"{error}\n{tail}") from None


def answers(url: str) -> bool:
    """Return whether `url` answers at all."""
    try:
        with urllib.request.urlopen(url, timeout=1.0):
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, http.client.HTTPException):
        return False


def healthy(port: int) -> bool:
    """Return whether a process says that it is well."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1.0) as answer:
            return bool(json.load(answer)["ok"])
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return False


def listens(port: int) -> bool:
    """Return whether somebody accepts on the loopback port."""
    with socket.socket() as sock:
        sock.settimeout(0.5)
        return sock.connect_ex(("127.0.0.1", port)) == 0
