"""The panel's words: one TOML file a language, all with the same keys."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from edge.panel import PanelError

LANGUAGES = ("en", "de", "fr", "es")
FOLDER = Path(__file__).parent / "words"


@dataclass(frozen=True, slots=True)
class Words:
    """The texts of one language by key; `{name}` holes are filled at the call."""

    language: str
    texts: Mapping[str, str]
    days: tuple[str, ...]
    months: tuple[str, ...]

    def __call__(self, key: str, **holes: object) -> str:
        """Return the text of `key`; raise PanelError when there is none."""
        text = self.texts.get(key)
        if text is None:
            raise PanelError(f"{self.language}.toml: no word {key!r}")
        return text.format(**holes) if holes else text

    def get(self, key: str, default: str) -> str:
        """Return the text of `key`, or `default`."""
        return self.texts.get(key, default)


@cache
def load(language: str) -> Words:
    """Return the words of `language`; raise PanelError when the file is missing or malformed."""
    path = FOLDER / f"{language}.toml"
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise PanelError(f"{path}: {error}; put a language file there") from error
    days, months = tuple(found.pop("days")), tuple(found.pop("months"))
    return Words(language, found, days, months)


def choose(asked: str | None, kept: str | None, accepted: str, default: str) -> str:
    """Return a language there is: asked for, else kept, else best accepted, else the default.

    accepted: an Accept-Language header, e.g. `de-CH, fr;q=0.8`.
    """
    for wish in (asked, kept):
        if wish in LANGUAGES:
            return wish
    best = max(map(_weighed, accepted[:256].split(",")), default=(0.0, ""))
    return best[1] if best[0] > 0 else default


def _weighed(part: str) -> tuple[float, str]:
    tag, _, rest = part.strip().partition(";")
    language = tag.strip().lower().split("-", 1)[0]
    if language not in LANGUAGES:
        return 0.0, ""
    quality = rest.strip().removeprefix("q=")
    try:
        return (float(quality) if quality else 1.0), language
    except ValueError:
        return 0.0, ""
