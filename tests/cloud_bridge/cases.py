"""Values the service's tests are told with: a template, a machine, a wanted row, an instant."""

from cloud_bridge.types import Capacity, Machine, Template, Wanted
from edge.contracts.base import Now
from edge.contracts.wire import WantedMachine

T0 = 1_780_000_000.0
SMALL = Template("small", 128, lead_s=300, grace_s=60, boot_s=30)
BIG = Template("big", 512, lead_s=600, grace_s=60, boot_s=30)
TEMPLATES = {"small": SMALL, "big": BIG}
CAPACITY = Capacity(1024, 2)


def now(seconds: float, trusted: bool = True) -> Now:
    """Return the instant `seconds` after T0."""
    return Now(T0 + seconds, 100.0 + seconds, trusted)


def row(
    key: str = "k", start: float = 1000, end: float = 2000, template: str = "small"
) -> WantedMachine:
    """Return what a room wants; start and end in seconds after T0."""
    return WantedMachine(key, f"m-{key}", template, T0 + start, T0 + end)


def wanted(*rows: WantedMachine, room: str = "a", also: tuple[str, ...] = ()) -> Wanted:
    """Return one room's snapshot, and `also` rooms that want nothing."""
    return Wanted(frozenset((room, *also)), tuple((room, each) for each in rows))


def machine(key: str = "k", phase: str = "ready", **changes: object) -> Machine:
    """Return a machine of room a, created at 700 and leased until 2000."""
    values: dict[str, object] = {
        "meeting": f"m-{key}",
        "rooms": ("a",),
        "template": "small",
        "until": T0 + 2000,
        "created": T0 + 700,
        "memory_mib": 128,
        "grace_s": 60.0,
        "address": "127.0.0.1:1",
    }
    return Machine(key=key, phase=phase, **{**values, **changes})  # type: ignore[arg-type]
