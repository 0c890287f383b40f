"""The one root of everything this package raises, and what stops a call."""


class PluginError(Exception):
    """A plugin cannot be trusted, loaded or run; the text says which, why and what to do."""


class GuestError(PluginError):
    """A call trapped, overran a limit or answered nothing usable."""


class DeadlineError(GuestError):
    """A call that was still running at its deadline."""
