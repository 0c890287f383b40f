"""Machines copied from a template in memory: bare QEMU, for walk-ups and density."""

from cloud_bridge.vms.clones.provider import CloneProvider

__all__ = ["CloneProvider"]
