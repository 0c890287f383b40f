"""What happened and why, durable and provable: a hash chain in SQLite that is also the outbox."""

from edge.journal.errors import JournalError
from edge.journal.reader import Reader, open_reader
from edge.journal.rows import Row, StoredRow
from edge.journal.verify import Verification, verify
from edge.journal.writer import Journal

__all__ = [
    "Journal",
    "JournalError",
    "Reader",
    "Row",
    "StoredRow",
    "Verification",
    "open_reader",
    "verify",
]
