"""The package's exception root."""


class JournalError(Exception):
    """The journal cannot be used; the text says which file, why, and what to do."""
