"""An MQTT entity in the words of Home Assistant's documents: what its `config` messages say."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edge.contracts.base import StrictMessage

Component = Literal["light", "switch", "climate", "cover", "fan", "number", "select"]
Text = Annotated[str, Meta(max_length=256)]


class Availability(StrictMessage, frozen=True, forbid_unknown_fields=True):
    """One topic that says whether the device is there."""

    topic: Text
    payload_available: Text = "online"
    payload_not_available: Text = "offline"
    value_template: Text = ""


class Entity(StrictMessage, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A light, switch, climate, cover, fan, number or select; names and defaults as documented.

    All availability topics must say that the device is there. Templates: {{ value }} and
    {{ value_json.name }} only.
    """

    component: Component
    schema: Literal["default", "basic", "json"] = "default"
    command_topic: Text = ""
    command_template: Text = ""
    state_topic: Text = ""
    value_template: Text = ""
    state_value_template: Text = ""
    payload_on: Text = "ON"
    payload_off: Text = "OFF"
    state_on: Text = ""
    state_off: Text = ""
    brightness_command_topic: Text = ""
    brightness_command_template: Text = ""
    brightness_state_topic: Text = ""
    brightness_value_template: Text = ""
    brightness_scale: Annotated[float, Meta(ge=1.0, le=100_000.0)] = 255.0
    color_temp_command_topic: Text = ""
    color_temp_command_template: Text = ""
    color_temp_state_topic: Text = ""
    color_temp_value_template: Text = ""
    temperature_command_topic: Text = ""
    temperature_command_template: Text = ""
    temperature_state_topic: Text = ""
    temperature_state_template: Text = ""
    set_position_topic: Text = ""
    set_position_template: Text = ""
    position_topic: Text = ""
    position_template: Text = ""
    position_open: float = 100.0
    position_closed: float = 0.0
    payload_open: Text = "OPEN"
    payload_close: Text = "CLOSE"
    state_open: Text = "open"
    state_closed: Text = "closed"
    percentage_command_topic: Text = ""
    percentage_command_template: Text = ""
    percentage_state_topic: Text = ""
    percentage_value_template: Text = ""
    speed_range_min: float = 1.0
    speed_range_max: float = 100.0
    min: float = 1.0
    max: float = 100.0
    options: Annotated[tuple[Text, ...], Meta(max_length=64)] = ()
    retain: bool = False
    availability: Annotated[tuple[Availability, ...], Meta(max_length=8)] = ()
    availability_topic: Text = ""
    payload_available: Text = "online"
    payload_not_available: Text = "offline"
    availability_template: Text = ""

    @property
    def presences(self) -> tuple[Availability, ...]:
        """Every topic that says whether the device is there."""
        if not self.availability_topic:
            return self.availability
        own = Availability(
            self.availability_topic,
            self.payload_available,
            self.payload_not_available,
            self.availability_template,
        )
        return (*self.availability, own)


def known_keys() -> frozenset[str]:
    """Return the keys of a `config` message that are understood."""
    return frozenset(field.name for field in msgspec.structs.fields(Entity))
