"""The guests' door: a code from the panel opens one machine's page and screen, and nothing else."""


class DoorError(Exception):
    """A door that cannot be set up; the text says what is missing and where."""
