"""The page for those who look after the rooms: reads the store, shows it, lets a machine retry."""


class AdminError(Exception):
    """An admin page that cannot be set up; the text says what is missing and where."""
