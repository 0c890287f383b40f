"""The reconciler: compares what rooms want with the machines there are, and acts on it."""

from cloud_bridge.reconcile.loop import Reconciler

__all__ = ["Reconciler"]
