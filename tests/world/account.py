"""Somebody's calendar on a server: its address, and who may use it."""

import base64
import urllib.parse
from dataclasses import dataclass


@dataclass(frozen=True)
class Account:
    """A calendar's address, with a slash at its end, and who may use it."""

    url: str
    user: str
    password: str

    @property
    def headers(self) -> dict[str, str]:
        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return {"Authorization": f"Basic {token}"}


def account(address: str) -> Account | None:
    """Return the account in https://user:password@host/path/, None for no address."""
    if not address:
        return None
    parts = urllib.parse.urlsplit(address)
    host = parts.hostname or ""
    place = f"{host}:{parts.port}" if parts.port else host
    url = f"{parts.scheme}://{place}{parts.path.rstrip('/')}/"
    unquote = urllib.parse.unquote
    return Account(url, unquote(parts.username or ""), unquote(parts.password or ""))
