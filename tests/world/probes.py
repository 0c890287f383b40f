"""Whether a part of the world is there: asked from outside, and waited for."""

import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path


class SiteError(Exception):
    """A part of the site did not come up; the text names its log."""


def wait_for(what: str, done: Callable[[], bool], seconds: float, log: Path | None = None) -> None:
    """Poll `done` until it holds; raise SiteError with the end of `log` when it never does."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            tail = log.read_text(errors="replace")[-3000:] if log and log.exists() else ""
            raise SiteError(f"{what} did not happen within {seconds:.0f} s\n{tail}")
        time.sleep(0.05)


def answers(url: str) -> bool:
    """Return whether `url` answers at all."""
    try:
        with urllib.request.urlopen(url, timeout=1.0):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def healthy(port: int) -> bool:
    """Return whether a process says that it is well."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1.0) as answer:
            return bool(json.load(answer)["ok"])
    except (OSError, ValueError, KeyError):
        return False


def listens(port: int) -> bool:
    """Return whether somebody accepts on the loopback port."""
    with socket.socket() as sock:
        sock.settimeout(0.5)
        return sock.connect_ex(("127.0.0.1", port)) == 0
