"""Who may ask what of a page: host names, cross-site forms, headers, pace."""

import hmac
import re
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from flask import Request, Response

FIELD = "token"
BODY_LIMIT = 8 * 1024
ASKS_AT_ONCE = 12
ASKS_PER_S = 4.0

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


@dataclass(frozen=True, slots=True)
class Guard:
    """A signed double submit: the cookie names the browser, the form carries its signature.

    cookie: its name; bound: another cookie that a form is good for, such as a session's.
    secret: made at each start, so a page from before a restart is refused and renews itself.
    """

    hosts: tuple[str, ...]
    cookie: str
    bound: str = ""
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    def host_known(self, request: Request) -> bool:
        """Return whether the page is asked for by a name of ours (no DNS rebinding)."""
        return _name(request.headers.get("Host", "")) in self.hosts

    def seat(self, request: Request) -> str:
        """Return the browser's cookie, or a new value for it."""
        kept = request.cookies.get(self.cookie, "")
        return kept if len(kept) == 32 and kept.isalnum() else secrets.token_hex(16)

    def token(self, seat: str, bound: str = "") -> str:
        """Return what a form of this browser must carry."""
        return hmac.new(self.secret, f"{seat} {bound}".encode(), "sha256").hexdigest()

    def form_ours(self, request: Request) -> bool:
        """Return whether a form was drawn by this process for this browser."""
        seat, token = request.cookies.get(self.cookie, ""), request.form.get(FIELD, "")
        bound = request.cookies.get(self.bound, "") if self.bound else ""
        signed = hmac.compare_digest(self.token(seat, bound).encode(), token.encode())
        return bool(seat) and signed and self._same_site(request)

    def from_here(self, request: Request) -> bool:
        """Return whether a stream is opened by a page of ours."""
        return request.headers.get("Sec-Fetch-Site", "same-origin") in ("same-origin", "none")

    def _same_site(self, request: Request) -> bool:
        origin = request.headers.get("Origin")
        if origin is None:
            return self.from_here(request)
        return urlsplit(origin).netloc == request.headers.get("Host", "")

    def mark(self, response: Response, seat: str, known: str | None) -> None:
        """Set the browser's cookie when it has none."""
        if seat != known:
            response.set_cookie(self.cookie, seat, httponly=True, samesite="Strict", path="/")


class Pace:
    """A bucket of taps: `take` is False when people, or something else, tap too fast."""

    def __init__(self, mono: Callable[[], float]) -> None:
        self._mono = mono
        self._left = float(ASKS_AT_ONCE)
        self._at = mono()
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Return whether one more tap is fine now."""
        with self._lock:
            now = self._mono()
            self._left = min(float(ASKS_AT_ONCE), self._left + (now - self._at) * ASKS_PER_S)
            self._at = now
            if self._left < 1:
                return False
            self._left -= 1
            return True


def _name(host: str) -> str:
    """The host without its port, "" when it is none; an IPv6 address keeps its brackets."""
    found = _HOST.fullmatch(host)
    return found[1].lower() if found else ""


_HOST = re.compile(r"([\w.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?")
