"""Wakes the panel's event streams when the room has changed."""

from edge.process.web.pulse import Pulse

__all__ = ["Pulse"]
