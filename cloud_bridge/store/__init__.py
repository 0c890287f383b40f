"""What the service keeps: SQLite in one file by default, PostgreSQL by URL."""

from cloud_bridge.store.base import Store, StoreError
from cloud_bridge.store.events import DeadLetter, EventStore, Row, Snapshot
from cloud_bridge.store.machines import Intended, MachineStore

__all__ = [
    "DeadLetter",
    "EventStore",
    "Intended",
    "MachineStore",
    "Row",
    "Snapshot",
    "Store",
    "StoreError",
]
