"""What the policy is told of the room at one instant, and of each actuator. Pure."""

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from edge.contracts.base import Now
from edge.contracts.commands import Command
from edge.contracts.signals import OperatorAsked, Signal
from edge.decide.core import CoreSettings
from edge.decide.leases import Wanted
from edge.decide.pause import PAUSE
from edge.decide.policy import Context
from edge.decide.sky import sky
from edge.fusion.evidence import fresh
from edge.fusion.state import READING_STALE_S, RoomState

CO2_STEP = 50


def facts(room: RoomState, meeting: str, settings: CoreSettings, now: Now) -> Context:
    """Return what holds for every actuator. meeting: none, pending or active."""
    trusted = now.trusted and room.clock_trusted
    local = sky(settings.place, now.wall) if trusted else None
    co2 = fresh(room.readings.get("co2"), READING_STALE_S, now.mono)
    return Context(
        occupied=room.presence.occupied,
        active=meeting == "active",
        consent=room.consent,
        trusted=trusted,
        weekday=-1 if local is None else local.weekday,
        minute=-1 if local is None else round(local.local_hour * 60),
        co2=0 if co2 is None else round(co2.value / CO2_STEP) * CO2_STEP,
    )


def told(
    common: Context,
    given: Mapping[str, Command],
    wanted: Wanted,
    costs: Mapping[str, float],
    signal: Signal,
) -> Callable[[str], Context]:
    """Return the function from an actuator to what the policy is told of it."""
    # Who releases what was set by hand leaves it to the room again.
    left = signal.actuator if isinstance(signal, OperatorAsked) and signal.verb == "release" else ""

    def context(actuator: str) -> Context:
        if actuator in wanted:
            template = wanted[actuator][0].template
            cents = round(costs.get(template, 0.0) * 100)
            return replace(common, template=template, cost_cents=cents)
        last = given.get(actuator)
        if last is None or last.priority != "manual" or actuator == left:
            return common
        # A pause keeps what there is; nobody chose it.
        return common if last.source.startswith(PAUSE) else replace(common, by_hand=str(last.value))

    return context
