"""A journal row as the service may see it: CloudEvents JSON without what stays in the room."""

import hashlib
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec

from edge.contracts.base import Now
from edge.contracts.topics import PAYLOAD_LIMIT
from edge.contracts.wire import EventMessage

SHARED_KINDS = frozenset({"signal", "decision", "command", "note"})
"""Kinds whose payload may leave. A boot row holds the room's whole inner state: it stays."""

PRIVATE_KEYS = frozenset({"title", "organiser"})


class OutboxRow(Protocol):
    """A durable journal row as the uplink reads it."""

    @property
    def seq(self) -> int:
        """Place in the chain, without gaps."""
        ...

    @property
    def kind(self) -> str:
        """boot, signal, decision, command or note."""
        ...

    @property
    def id(self) -> str:
        """The row's name; what follows a dot says which part of a step it is."""
        ...

    @property
    def now(self) -> Now:
        """When it was taken."""
        ...

    @property
    def body(self) -> bytes | None:
        """JSON, or None once it was thinned out."""
        ...

    @property
    def hash(self) -> bytes:
        """The row's link of the chain, 32 bytes."""
        ...


def encode_event(room: str, journal: str, row: OutboxRow, share_titles: bool) -> bytes:
    """Return the row of `journal` as an event of at most PAYLOAD_LIMIT bytes."""
    event = EventMessage(
        id=row.id,
        source=f"/roomkeeper/{room}",
        type=f"roomkeeper.{row.kind}",
        time=_rfc3339(row.now.wall),
        sequence=row.seq,
        data=shareable(row.kind, row.body, share_titles),
        traceparent=traceparent(row.id, row.hash),
        journal=journal,
    )
    encoded = msgspec.json.encode(event)
    if len(encoded) > PAYLOAD_LIMIT:
        short: dict[str, object] = {"omitted": "too large", "bytes": len(encoded)}
        encoded = msgspec.json.encode(msgspec.structs.replace(event, data=short))
    return encoded


def _rfc3339(wall: float) -> str:
    try:
        return datetime.fromtimestamp(wall, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        # A clock that far off must not hold up every row behind this one.
        return "1970-01-01T00:00:00+00:00"


def shareable(kind: str, body: bytes | None, share_titles: bool) -> dict[str, object]:
    """Return the payload's object as far as it may leave the room; {} when nothing may."""
    if body is None or kind not in SHARED_KINDS:
        return {}
    try:
        data = msgspec.json.decode(body)
        data = data if share_titles else _without_private(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return {"omitted": "no JSON"}
    return data if isinstance(data, dict) else {"value": data}


def _without_private(data: Any) -> Any:
    if isinstance(data, dict):
        kept = ((key, value) for key, value in data.items() if key not in PRIVATE_KEYS)
        return {key: _without_private(value) for key, value in kept}
    if isinstance(data, list):
        return [_without_private(value) for value in data]
    return data


def traceparent(row_id: str, row_hash: bytes) -> str:
    """Return a W3C trace context: one trace for all rows of a step, a span for each row."""
    step = row_id.split(".", 1)[0]
    trace = hashlib.sha256(step.encode()).hexdigest()[:32]
    return f"00-{trace}-{row_hash[:8].hex()}-01"
