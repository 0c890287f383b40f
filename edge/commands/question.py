"""What is asked of `intents explain`."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Question:
    """The options as they were given. at: "" for now."""

    event: Path
    at: str
    occurrence: str
    machine_takes: float
    plugins: bool
    as_json: bool
