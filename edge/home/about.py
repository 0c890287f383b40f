"""What announcing a room rests on, and the names of its topics. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge.contracts.base import ContractError, Value
from edge.contracts.gating import GateRule
from edge.contracts.topics import HOME

AUTOMATION, RELEASE = "_automation", "_release"
"""What else may be asked for; no actuator's name begins so."""
WISH_LIMIT = 64
"""Bytes of the longest wish: a number or the name of an option."""


@dataclass(frozen=True, slots=True)
class About:
    """The room and what may be set in it.

    rules: of each actuator that Home Assistant sees; share_titles: whether titles of meetings may
    be told; hold_s: how long what is set there holds; stale: seconds after which a reading says
    nothing any more.
    """

    room: str
    name: str
    version: str
    rules: Sequence[GateRule] = ()
    prefix: str = "homeassistant"
    share_titles: bool = False
    hold_s: float = 3600.0
    level_stale_s: float = 20.0

    @property
    def node(self) -> str:
        """The room's name among all that announce themselves."""
        return f"roomkeeper_{self.room}"

    @property
    def state(self) -> str:
        """The topic of everything the room tells."""
        return HOME.name(room=self.room)

    @property
    def online(self) -> str:
        """The topic that says whether the room is there."""
        return f"roomkeeper/{self.room}/home/online"

    @property
    def wishes(self) -> str:
        """The filter of everything that is asked for."""
        return f"roomkeeper/{self.room}/home/set/+"

    def wish(self, actuator: str) -> str:
        """Return the topic on which an actuator is set."""
        return f"roomkeeper/{self.room}/home/set/{actuator}"


def asked(rule: GateRule, payload: bytes) -> Value:
    """Return the value that a wish names; raise ContractError when it is none of the actuator's.

    A level also takes ON and OFF: the ends of its range.
    """
    try:
        text = payload[: WISH_LIMIT + 1].decode().strip()
    except UnicodeDecodeError:
        raise ContractError(f"{rule.actuator}: what is asked for is no text") from None
    if len(payload) > WISH_LIMIT:
        raise ContractError(f"{rule.actuator}: what is asked for is too long")
    if rule.values:
        if text in rule.values:
            return text
        raise ContractError(f"{rule.actuator} takes {', '.join(rule.values)}, not {text!r}")
    if text in ("ON", "OFF"):
        return rule.high if text == "ON" else rule.low
    try:
        number = float(text)
    except ValueError:
        raise ContractError(f"{rule.actuator} takes a number, not {text!r}") from None
    if not rule.low <= number <= rule.high:
        raise ContractError(f"{rule.actuator} takes {rule.low:g} to {rule.high:g}, not {text!r}")
    return int(number) if number.is_integer() else number
