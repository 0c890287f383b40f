"""The room's touch panel: reads immutable snapshots, posts what people ask for as signals."""


class PanelError(Exception):
    """A panel that cannot be set up; the text says what is missing and where."""
