"""One calendar collection over CalDAV: list, fetch, write; every answer bounded in size and time.

Not for two threads at once: whoever needs a calendar makes its own.
"""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any
from urllib.parse import quote, urlsplit
from xml.sax.saxutils import escape

from caldav.davclient import DAVClient
from caldav.lib.error import AuthorizationError, DAVError

ANSWER_LIMIT = 16 * 1024 * 1024
BATCH = 50

LIST = (
    '<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop>'
    "<getetag/><getcontentlength/><resourcetype/></prop></propfind>"
)
TAG = (
    '<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop>'
    '<getctag xmlns="http://calendarserver.org/ns/"/></prop></propfind>'
)
CTAG = "{http://calendarserver.org/ns/}getctag"
MULTIGET = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<C:calendar-multiget xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">'
    "<prop><getetag/><C:calendar-data/></prop>{hrefs}</C:calendar-multiget>"
)
FAILURES = (OSError, DAVError, HTTPException, SyntaxError, ValueError, TypeError, LookupError)
"""What the HTTP and XML libraries raise on a server that is away, slow or talks nonsense."""

# The library logs the text it cannot parse, and that text may hold a private meeting.
logging.getLogger("caldav").setLevel(logging.CRITICAL)


class DavError(Exception):
    """A calendar that did not do what it was asked; status 0: it did not answer."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class DavConflictError(DavError):
    """The file is not (any more) the one the write was meant for."""


@dataclass(frozen=True, slots=True)
class DavAccount:
    """Where a calendar is (the address of the collection itself) and who asks."""

    url: str
    username: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """One file in the listing. size: bytes, -1 when the server does not say."""

    etag: str
    size: int = -1


@dataclass(frozen=True, slots=True)
class Document:
    """One file with its text."""

    href: str
    etag: str
    data: bytes


class Dav:
    """A session with one calendar. Every method raises DavError, and nothing else, when it fails.

    timeout_s: longest silence of the server; an answer takes at most twice that and 16 MB.
    """

    def __init__(self, account: DavAccount, timeout_s: float = 5.0) -> None:
        parts = urlsplit(account.url)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise DavError(f"the calendar's url is {account.url!r}: needs http(s)://host/path/")
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._url = account.url.rstrip("/") + "/"
        self.path = urlsplit(self._url).path
        self._client: Any = DAVClient(
            url=self._url,
            username=account.username or None,
            # A user without a password has an empty one: None is no half of what is sent.
            password=account.password if account.username else None,
            auth_type="basic" if account.username else None,
            timeout=timeout_s,
            enable_rfc6764=False,
            features={"http.multiplexing": False},
        )
        # Neither a .netrc nor a proxy of the environment may change who asks whom.
        self._client.session.trust_env = False
        self._client.session.request = _bounded(self._client.session.request, 2 * timeout_s)

    def entries(self) -> dict[str, Entry]:
        """Return every file of the calendar by its href."""
        results = self._propfind(LIST, "1")
        return {r.href: _entry(r.properties) for r in results if _is_file(r.properties)}

    def tag(self) -> str:
        """Return a name of the calendar's state that changes with it, "" when it has none."""
        tags = [result.properties.get(CTAG) for result in self._propfind(TAG, "0")]
        return str(tags[0] or "") if tags else ""

    def _propfind(self, body: str, depth: str) -> list[Any]:
        answer = self._ask("PROPFIND", self._url, body, {"Depth": depth}, (207,))
        try:
            return list(answer.parse_propfind())
        except FAILURES as error:
            raise DavError(f"the calendar's listing makes no sense: {_brief(error)}") from error

    def fetch(self, hrefs: Iterable[str]) -> list[Document]:
        """Return those of `hrefs` that are still there."""
        wanted = list(hrefs)
        found: list[Document] = []
        for begin in range(0, len(wanted), BATCH):
            found += self._multiget(wanted[begin : begin + BATCH])
        return found

    def _multiget(self, hrefs: list[str]) -> list[Document]:
        listed = "".join(f"<href>{escape(quote(href))}</href>" for href in hrefs)
        body = MULTIGET.format(hrefs=listed)
        answer = self._ask("REPORT", self._url, body, {"Depth": "1"}, (207,))
        try:
            results = answer.parse_calendar_query()
        except FAILURES as error:
            raise DavError(f"the calendar's answer makes no sense: {_brief(error)}") from error
        return [
            Document(r.href, r.etag or "", r.calendar_data.encode())
            for r in results
            if r.calendar_data is not None
        ]

    def get(self, href: str) -> Document | None:
        """Return one file as it stands, None when there is none."""
        answer = self._ask("GET", self._origin + quote(href), "", {}, (200, 404))
        if answer.status == 404:
            return None
        data = answer._raw_body or answer.raw.encode()
        return Document(href, str(answer.headers.get("ETag", "")), bytes(data))

    def put(self, href: str, data: bytes, *, if_match: str = "") -> None:
        """Write one file over the version `if_match`, without it only where none is.

        Raises DavConflictError when that is not what the server has.
        """
        headers = {"Content-Type": "text/calendar; charset=utf-8"}
        headers |= {"If-Match": if_match} if if_match else {"If-None-Match": "*"}
        url = self._origin + quote(href)
        self._ask("PUT", url, data.decode(), headers, (200, 201, 204))

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def _ask(
        self, method: str, url: str, body: str, headers: dict[str, str], good: tuple[int, ...]
    ) -> Any:
        try:
            answer = self._client.request(url, method, body, headers)
        except AuthorizationError as error:
            raise DavError(
                "the calendar refuses user or password: check [calendar] username and password",
                error.status or 401,
            ) from error
        except FAILURES as error:
            raise DavError(f"the calendar does not answer: {_brief(error)}") from error
        if answer.status in (409, 412) and method == "PUT":
            raise DavConflictError("the event was changed by somebody else", answer.status)
        if answer.status not in good:
            raise DavError(f"the calendar answers {method} with {answer.status}", answer.status)
        return answer


def _bounded(ask: Callable[..., Any], seconds: float) -> Callable[..., Any]:
    """Wrap a session's `request`: no redirects, at most ANSWER_LIMIT bytes in `seconds`."""

    def request(method: str, url: str, **options: Any) -> Any:
        deadline = time.monotonic() + seconds
        answer = ask(method, url, **{**options, "stream": True, "allow_redirects": False})
        body = bytearray()
        for chunk in answer.iter_content(65536):
            body += chunk
            if len(body) > ANSWER_LIMIT or time.monotonic() > deadline:
                answer.close()
                raise OSError(f"answer over {ANSWER_LIMIT} bytes or {seconds:g} s")
        answer._content = bytes(body)
        return answer

    return request


def _is_file(properties: dict[str, Any]) -> bool:
    return "{DAV:}collection" not in (properties.get("{DAV:}resourcetype") or ())


def _entry(properties: dict[str, Any]) -> Entry:
    size = str(properties.get("{DAV:}getcontentlength") or "")
    etag = str(properties.get("{DAV:}getetag") or "")
    return Entry(etag, int(size) if size.isdecimal() else -1)


def _brief(error: BaseException) -> str:
    # A transport's text carries addresses in memory: the same fault would read new each time.
    if isinstance(error, OSError):
        return type(error).__name__
    return f"{type(error).__name__}: {error}"[:200]
