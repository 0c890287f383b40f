"""What room.toml says of devices that are not on the room's broker."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edge.config_types import Identifier, Name, Period, Section

Preset = Annotated[int, Meta(ge=0, le=127)]
Instance = Annotated[int, Meta(ge=0, le=4_194_302)]
Host = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9._-]{1,200}\Z")]
"""A name or an IPv4 address."""
OwnAddress = Annotated[
    str, Meta(pattern=r"\A(\d{1,3}(\.\d{1,3}){3}(/\d{1,2})?(:\d{1,5})?)?\Z", max_length=32)
]
PeerAddress = Annotated[
    str, Meta(pattern=r"\A(\d{1,3}(\.\d{1,3}){3}(:\d{1,5})?)?\Z", max_length=24)
]
PhysicalAddress = Annotated[str, Meta(pattern=r"\A[0-9a-f](\.[0-9a-f]){3}\Z")]


class ViscaSection(Section, frozen=True):
    """A PTZ camera. port 0: the transport's usual one; privacy: the preset that sees nothing.

    Without `privacy` a closed shutter is standby.
    """

    name: Identifier
    host: Host
    transport: Literal["udp", "tcp"] = "udp"
    port: Annotated[int, Meta(ge=0, le=65535)] = 0
    presets: dict[Name, Preset] = msgspec.field(default_factory=dict)
    privacy: Preset | None = None
    poll_s: Period = 2.0


class MixerSection(Section, frozen=True):
    """The sound system. server: PulseAudio's, "" for the usual one; control: ALSA's element."""

    backend: Literal["pulse", "alsa"] = "pulse"
    server: Annotated[str, Meta(max_length=200)] = ""
    control: Name = "Capture"
    poll_s: Period = 5.0


class BacnetDeviceSection(Section, frozen=True):
    """A controller of the building: found at its address, or asked for by its instance."""

    name: Identifier
    address: PeerAddress = ""
    instance: Instance | None = None


class BacnetSection(Section, frozen=True):
    """BACnet/IP. address: the appliance's own, with the length of its network's prefix.

    instance: its own device number; priority: its slot in the array (1 wins over 16).
    """

    address: OwnAddress = ""
    instance: Instance = 4_190_000
    priority: Annotated[int, Meta(ge=1, le=16)] = 12
    poll_s: Period = 10.0
    devices: tuple[BacnetDeviceSection, ...] = ()


class CecSection(Section, frozen=True):
    """A display on HDMI. inputs: name -> physical address of what is plugged in there."""

    adapter: Annotated[str, Meta(pattern=r"\A/dev/[A-Za-z0-9_-]{1,32}\Z")] = "/dev/cec0"
    inputs: dict[Name, PhysicalAddress] = msgspec.field(default_factory=dict)
    poll_s: Period = 5.0
