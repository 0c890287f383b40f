"""Devices that announce themselves on the room's broker: what of them a room could move."""

from edge.actuators.discovery.found import Found, blocks
from edge.actuators.discovery.listen import FILTERS, Finder

__all__ = ["FILTERS", "Finder", "Found", "blocks"]
