"""What is known of a calendar's files: which to fetch, and the meetings of the window they make."""

import hashlib
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec

from edge.contracts.signals import CalendarRead, Meeting
from edge.process.dav import Document, Entry
from edge.signals.ics import FILE_LIMIT, Expanded, expand

EXPANDED_FOR_S = 6 * 3600.0
EXPANSION_LIMIT_S = 1.0
"""CPU seconds after which a file is put aside until it changes: it would cost that again."""

READ_LIMIT = 2000


@dataclass(frozen=True, slots=True)
class File:
    """One file: its text as fetched, what it expanded to, and the window end that covers."""

    etag: str
    data: bytes
    expanded: Expanded
    since: float
    until: float
    costly: bool = False


class CalendarFiles:
    """The calendar's files by href. past_s, ahead_s: the window around now; attendee: the room."""

    def __init__(self, zone: ZoneInfo, attendee: str, past_s: float, ahead_s: float) -> None:
        self._zone = zone
        self._attendee = attendee
        self._past_s = past_s
        self._ahead_s = ahead_s
        self._files: dict[str, File] = {}

    def missing(self, entries: Mapping[str, Entry], now: float) -> list[str]:
        """Forget what is not listed any more; return the hrefs whose text must be fetched."""
        self._files = {href: file for href, file in self._files.items() if href in entries}
        wanted = []
        for href, entry in entries.items():
            known = self._files.get(href)
            if known is not None and entry.etag and known.etag == entry.etag:
                continue
            if entry.size > FILE_LIMIT:
                why = f"{href}: is {entry.size} bytes: at most {FILE_LIMIT}"
                self._put(href, entry.etag, b"", Expanded((), 1, (why,)), now, costly=True)
            else:
                wanted.append(href)
        return wanted

    def store(self, documents: Iterable[Document], entries: Mapping[str, Entry], now: float) -> int:
        """Take fetched texts in; return how many there were."""
        count = 0
        for document in documents:
            listed = entries.get(document.href)
            if listed is None:
                continue
            self._expand(document.href, document.etag or listed.etag, document.data, now)
            count += 1
        return count

    def read(self, source: str, now: float) -> CalendarRead:
        """Return the whole window as a signal; `version` names its content."""
        for href, file in list(self._files.items()):
            if not file.costly and not file.since <= now <= file.until:
                self._expand(href, file.etag, file.data, now)
        start, end = now - self._past_s, now + self._ahead_s
        found = [
            meeting
            for file in self._files.values()
            for meeting in file.expanded.meetings
            if meeting.end > start and meeting.start < end
        ]
        found.sort(key=lambda m: (m.start, m.uid, m.recurrence_id, m.href))
        meetings = tuple(found[:READ_LIMIT])
        skipped = sum(file.expanded.skipped for file in self._files.values())
        skipped += len(found) - len(meetings)
        return CalendarRead(source, meetings, _version(meetings, skipped), skipped)

    def reasons(self) -> list[str]:
        """Return why entries were skipped, by href."""
        return [why for _, f in sorted(self._files.items()) for why in f.expanded.reasons]

    def _expand(self, href: str, etag: str, data: bytes, now: float) -> None:
        began = time.thread_time()
        expanded = expand(
            data,
            datetime.fromtimestamp(now - self._past_s, UTC),
            datetime.fromtimestamp(now + self._ahead_s + EXPANDED_FOR_S, UTC),
            self._zone,
            href,
            etag,
            self._attendee,
        )
        costly = time.thread_time() - began > EXPANSION_LIMIT_S
        if costly:
            why = f"{href}: took over {EXPANSION_LIMIT_S:g} s to expand"
            expanded = Expanded((), 1, (why,))
        self._put(href, etag, data, expanded, now, costly=costly)

    def _put(
        self, href: str, etag: str, data: bytes, expanded: Expanded, now: float, *, costly: bool
    ) -> None:
        self._files[href] = File(etag, data, expanded, now, now + EXPANDED_FOR_S, costly)


def _version(meetings: tuple[Meeting, ...], skipped: int) -> str:
    return hashlib.sha256(msgspec.json.encode((meetings, skipped))).hexdigest()[:16]
