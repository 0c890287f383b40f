"""What room.toml and intents.toml may say: every section, every limit, every default."""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edge.actuators.dialects import Dialect, Wiring
from edge.config_devices import BacnetSection, CecSection, MixerSection, ViscaSection
from edge.config_types import ActuatorName, Identifier, Name, Part, Period, Port, Seconds, Within
from edge.config_types import Section as _Section
from edge.contracts.base import Value
from edge.contracts.entity import Entity
from edge.contracts.gating import GateRule
from edge.contracts.wire import DeviceField


class RoomSection(_Section, frozen=True):
    """Which room this is. seats: people it is made for; share_titles: may titles leave it.

    latitude, longitude: degrees north and east, for the sun's position.
    """

    id: Identifier
    name: Name = ""
    timezone: str = "UTC"
    organisation: Identifier = "example"
    seats: Annotated[int, Meta(ge=1, le=10_000)] = 8
    share_titles: bool = False
    latitude: Annotated[float, Meta(ge=-90.0, le=90.0)] | None = None
    longitude: Annotated[float, Meta(ge=-180.0, le=180.0)] | None = None


class BrokerSection(_Section, frozen=True):
    """An MQTT 5 broker; ca, cert and key are files, the password stands in a file of its own."""

    host: Name = "127.0.0.1"
    port: Port = 1883
    username: str = ""
    password_file: str = ""
    ca: str = ""
    cert: str = ""
    key: str = ""


class CalendarSection(_Section, frozen=True):
    """The room's CalDAV calendar; near_poll_s holds around the start and end of a meeting.

    attendee: the room's own address in invitations; "" is the attendee with CUTYPE=ROOM.
    """

    url: Annotated[str, Meta(pattern=r"\Ahttps?://[^/\s]+")]
    username: str = ""
    password_file: str = ""
    attendee: str = ""
    poll_s: Period = 15.0
    near_poll_s: Period = 1.0


class CameraSection(_Section, frozen=True):
    """device: number, file or URL, "" for no camera; threshold: least score of a person."""

    device: str = ""
    fps: Annotated[float, Meta(ge=0.1, le=30.0)] = 2.0
    threshold: Part = 0.15
    loop: bool = False


class MicrophoneSection(_Section, frozen=True):
    """device: name of an audio input ("default" is one), or a sound file; "" for none."""

    device: str = ""
    loop: bool = False


class ActuatorSection(_Section, frozen=True):
    """One thing the room may move, with its limits; `fallback` is its value at rest.

    part: what of its device it moves, for the drivers that have a table of their own.
    dialect to entity: for the driver mqtt, as edge.actuators.dialects.Wiring knows them.
    """

    name: ActuatorName
    driver: Literal["mqtt", "vm", "visca", "mixer", "bacnet", "cec"]
    device: str = ""
    part: Annotated[str, Meta(max_length=64)] = ""
    field: DeviceField | None = None
    dialect: Dialect = "zigbee2mqtt"
    key: str = ""
    base: str = ""
    device_min: float = 0.0
    device_max: float = 0.0
    entity: Entity | None = None
    min: float = 0.0
    max: float = 0.0
    step: Annotated[float, Meta(ge=0.0)] = 0.0
    rate_per_min: Annotated[int, Meta(ge=1, le=600)] = 12
    dwell_s: Seconds = 0.0
    deadband: Annotated[float, Meta(ge=0.0)] = 0.0
    settle_s: Seconds = 0.0
    values: tuple[str, ...] = ()
    fallback: Value | None = None

    @property
    def wiring(self) -> Wiring | None:
        """Where it is on the room's broker; None when another driver moves it."""
        if self.driver != "mqtt" or self.field is None:
            return None
        return Wiring(
            self.device, self.field, self.dialect, self.key, self.base,
            self.device_min, self.device_max, self.entity,
        )  # fmt: skip

    @property
    def rule(self) -> GateRule:
        """The limits as the gate wants them."""
        return GateRule(
            self.name, self.min, self.max, self.step, self.values, self.rate_per_min,
            self.dwell_s, self.deadband, self.settle_s,
        )  # fmt: skip

    @property
    def allowed(self) -> str:
        """The values it takes, in words."""
        if self.values:
            return f"one of {', '.join(self.values)}"
        return f"a number from {self.min:g} to {self.max:g}"

    def takes(self, value: Value) -> bool:
        """Return whether `value` lies inside the limits."""
        if self.values:
            return value in self.values
        return not isinstance(value, bool | str) and self.min <= value <= self.max


class MeetingsSection(_Section, frozen=True):
    """Booking rules, as edge.meetings knows them. Seconds; 0 switches `empty_end_s` off."""

    check_in_opens_s: Seconds = 600.0
    no_show_s: Seconds = 600.0
    auto_check_in_people: Annotated[int, Meta(ge=1, le=100)] = 1
    extend_before_s: Seconds = 60.0
    extend_step_s: Seconds = 900.0
    empty_end_s: Seconds = 0.0
    long_meeting_s: Seconds = 8 * 3600.0
    forget_s: Seconds = 12 * 3600.0
    agree_kinds: Annotated[int, Meta(ge=1, le=4)] = 2
    ask_s: Annotated[float, Meta(ge=10.0, le=3600.0)] = 120.0
    keep_s: Annotated[float, Meta(ge=60.0, le=86400.0)] = 900.0


class FusionSection(_Section, frozen=True):
    """When evidence counts and presence changes, as edge.fusion knows it."""

    enter: Part = 0.7
    leave: Part = 0.3
    hold_s: Seconds = 60.0
    people_stale_s: Seconds = 10.0
    voice_stale_s: Seconds = 20.0
    motion_stale_s: Seconds = 120.0
    estimate_stale_s: Seconds = 30.0


class PluginsSection(_Section, frozen=True):
    """folder: one folder per plugin; keys: public keys that may sign; enabled: which run.

    store: private folder of what was installed and compiled; "" is beside the journal.
    """

    folder: str = "../wasm_modules"
    keys: str = "keys"
    store: str = ""
    enabled: tuple[Identifier, ...] = ("lights", "climate")
    settings: dict[str, dict[str, Value]] = msgspec.field(default_factory=dict)


class FileSection(_Section, frozen=True):
    """A further file this one names."""

    file: Annotated[str, Meta(min_length=1)]


class IntentsSection(_Section, frozen=True):
    """The file of intents. override: intent -> what this room says otherwise, IntentOverride."""

    file: Annotated[str, Meta(min_length=1)] = "intents.toml"
    override: dict[str, object] = msgspec.field(default_factory=dict)


class MachinesSection(_Section, frozen=True):
    """cost_per_h: template -> what its machine costs an hour, in the organisation's currency.

    door: the address that people are told to type a machine's code at; "" leaves it out.
    """

    cost_per_h: dict[str, Annotated[float, Meta(ge=0.0, le=1e6)]] = msgspec.field(
        default_factory=dict
    )
    door: Annotated[str, Meta(max_length=160)] = ""


class JournalSection(_Section, frozen=True):
    """The SQLite file that keeps what happened; its folder must exist."""

    path: Annotated[str, Meta(min_length=1)] = "../build/room.journal"


class ModelsSection(_Section, frozen=True):
    """TFLite files; "" is the one that ships with this version."""

    people: str = ""
    occupancy: str = ""


class ClockSection(_Section, frozen=True):
    """always_trust: believe wall time even where neither network time nor a clock chip is seen."""

    always_trust: bool = False


class HealthSection(_Section, frozen=True):
    """Where /healthz and /metrics answer; port 0 is any free one, named in the log."""

    host: Name = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 9105


class PanelSection(_Section, frozen=True):
    """The touch panel. hosts: further names it may be asked for by; hold_s: of what hands set."""

    enabled: bool = True
    host: Name = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8080
    theme: Annotated[str, Meta(min_length=1)] = "theme"
    titles: Literal["title", "organiser", "none"] = "title"
    twelve_hours: bool = False
    language: Literal["en", "de", "fr", "es"] = "en"
    hosts: tuple[str, ...] = ()
    streams: Annotated[int, Meta(ge=1, le=64)] = 8
    hold_s: Annotated[float, Meta(ge=60.0, le=86400.0)] = 3600.0


class HomeAssistantSection(_Section, frozen=True):
    """discovery: whether the room announces itself to Home Assistant on its own broker.

    prefix: Home Assistant's discovery prefix; hold_s: how long what is set there holds.
    """

    discovery: bool = False
    prefix: Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*\Z", max_length=64)] = (
        "homeassistant"
    )
    hold_s: Annotated[float, Meta(ge=60.0, le=86400.0)] = 3600.0


class LogSection(_Section, frozen=True):
    """How much is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"


class RoomConfig(_Section, frozen=True):
    """The whole of room.toml."""

    room: RoomSection
    calendar: CalendarSection
    nodes: tuple[Identifier, ...] = ()
    broker: BrokerSection = BrokerSection()
    site: BrokerSection = BrokerSection()
    camera: CameraSection = CameraSection()
    microphone: MicrophoneSection = MicrophoneSection()
    actuators: tuple[ActuatorSection, ...] = ()
    visca: tuple[ViscaSection, ...] = ()
    mixer: MixerSection = MixerSection()
    bacnet: BacnetSection = BacnetSection()
    cec: CecSection = CecSection()
    meetings: MeetingsSection = MeetingsSection()
    fusion: FusionSection = FusionSection()
    plugins: PluginsSection = PluginsSection()
    policy: FileSection = FileSection("policies/room.cedar")
    intents: IntentsSection = IntentsSection()
    machines: MachinesSection = MachinesSection()
    journal: JournalSection = JournalSection()
    models: ModelsSection = ModelsSection()
    clock: ClockSection = ClockSection()
    health: HealthSection = HealthSection()
    panel: PanelSection = PanelSection()
    home_assistant: HomeAssistantSection = HomeAssistantSection()
    log: LogSection = LogSection()

    @property
    def gate_rules(self) -> tuple[GateRule, ...]:
        """The limits of every actuator."""
        return tuple(actuator.rule for actuator in self.actuators)

    @property
    def fallbacks(self) -> Mapping[str, Value]:
        """Actuator -> its value at rest, for those that have one."""
        return {a.name: a.fallback for a in self.actuators if a.fallback is not None}


SettingName = Annotated[
    str, Meta(pattern=r"\A[a-z][a-z0-9_-]*\.([a-z0-9_.-]+|\*)\Z", max_length=64)
]
"""An actuator (light.main), or all of a class (light.*)."""


class SloSection(_Section, frozen=True):
    """What an intent promises for the start of a meeting; what is left out is not promised."""

    ready_s: Seconds | msgspec.UnsetType = msgspec.UNSET
    machine_ready_s: Seconds | msgspec.UnsetType = msgspec.UNSET
    temperature_within: Within | msgspec.UnsetType = msgspec.UNSET
    light_within: Within | msgspec.UnsetType = msgspec.UNSET


class IntentOverride(_Section, frozen=True, kw_only=True):
    """What a room says of an intent besides intents.toml: all of its keys, each optional.

    settings, leads: actuator or class -> value, seconds; they and slo add to what is declared,
    everything else replaces it.
    """

    title: Name | msgspec.UnsetType = msgspec.UNSET
    tags: tuple[Identifier, ...] | msgspec.UnsetType = msgspec.UNSET
    description: str | msgspec.UnsetType = msgspec.UNSET
    extends: tuple[Identifier, ...] | msgspec.UnsetType = msgspec.UNSET
    exclusive: tuple[Identifier, ...] | msgspec.UnsetType = msgspec.UNSET
    lead_s: Seconds | msgspec.UnsetType = msgspec.UNSET
    leads: dict[SettingName, float] = msgspec.field(default_factory=dict)
    vm: str | msgspec.UnsetType = msgspec.UNSET
    vm_lead_s: Seconds | msgspec.UnsetType = msgspec.UNSET
    settings: dict[SettingName, Value] = msgspec.field(default_factory=dict)
    slo: SloSection = SloSection()


class IntentSection(IntentOverride, frozen=True, kw_only=True):
    """One table of intents.toml; its settings hold while the meeting lasts."""

    title: Name


class IntentsFile(_Section, frozen=True):
    """The whole of intents.toml: name -> IntentSection, each read on its own."""

    intent: dict[Identifier, object]
