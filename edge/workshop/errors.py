"""The one root of everything this package raises."""


class WorkshopError(Exception):
    """A plugin cannot be made, built or tried; the text says where, why and what to do."""
