"""The room's side of the service: journal rows out, machine reports in."""

from edge.uplink.uplink import Uplink, presence_will

__all__ = ["Uplink", "presence_will"]
