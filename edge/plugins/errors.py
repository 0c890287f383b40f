"""The one root of everything this package raises."""


class PluginError(Exception):
    """A plugin cannot be trusted, loaded or run; the text says which, why and what to do."""
