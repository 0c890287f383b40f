"""What the service keeps: SQLite in one file by default, PostgreSQL by URL."""

from cloud_bridge.store.base import Store, StoreError
from cloud_bridge.store.door import DoorStore, Visit
from cloud_bridge.store.events import DeadLetter, EventStore, Row, Snapshot
from cloud_bridge.store.looking import LookStore
from cloud_bridge.store.machines import Intended, MachineStore
from cloud_bridge.store.records import Question, RecordStore
from cloud_bridge.store.usage import UsageStore
from cloud_bridge.store.users import UserStore

__all__ = [
    "DeadLetter",
    "DoorStore",
    "EventStore",
    "Intended",
    "LookStore",
    "MachineStore",
    "Question",
    "RecordStore",
    "Row",
    "Snapshot",
    "Store",
    "StoreError",
    "UsageStore",
    "UserStore",
    "Visit",
]
