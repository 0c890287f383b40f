"""The package's exception root."""


class JournalError(Exception):
    """The journal cannot be used; the text says which file, why, and what to do."""


class JournalUnusableError(JournalError):
    """The file or its disk refuses (full, read-only, damaged): a room can go on without for now."""
