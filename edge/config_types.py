"""What the sections of a configuration are made of."""

from typing import Annotated

from msgspec import Meta

from edge.contracts.base import StrictMessage

Identifier = Annotated[str, Meta(pattern=r"\A[a-z0-9][a-z0-9_-]{0,63}\Z")]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
ActuatorName = Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9_.-]*(/\*)?\Z", max_length=64)]
Port = Annotated[int, Meta(ge=1, le=65535)]
Part = Annotated[float, Meta(ge=0.0, le=1.0)]
Seconds = Annotated[float, Meta(ge=0.0, le=7 * 86400.0)]
Within = Annotated[float, Meta(gt=0.0, le=100.0)]
Period = Annotated[float, Meta(ge=0.1, le=3600.0)]


class Section(StrictMessage, frozen=True, forbid_unknown_fields=True):
    """A table of the file: an unknown key is an error."""
