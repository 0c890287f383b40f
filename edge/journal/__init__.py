"""What happened and why, durable and provable: a hash chain in SQLite that is also the outbox."""

from edge.journal.absent import AbsentJournal
from edge.journal.errors import JournalError, JournalUnusableError
from edge.journal.reader import Reader, open_reader
from edge.journal.rows import Row, StoredRow
from edge.journal.verify import Verification, verify
from edge.journal.writer import Journal

__all__ = [
    "AbsentJournal",
    "Journal",
    "JournalError",
    "JournalUnusableError",
    "Reader",
    "Row",
    "StoredRow",
    "Verification",
    "open_reader",
    "verify",
]
