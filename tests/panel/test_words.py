"""The panel's languages: the same keys, the same holes, nothing missing, nothing idle."""

import re
import string
from pathlib import Path

import pytest

from edge.config_intents import CLASSES
from edge.panel import PanelError
from edge.panel.controls import WORDS
from edge.panel.words import LANGUAGES, choose, load

PANEL = Path(__file__).parents[2] / "edge" / "panel"


def holes(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_says_everything(language: str) -> None:
    english, words = load("en"), load(language)
    assert set(words.texts) == set(english.texts)
    for key, text in words.texts.items():
        assert text.strip() == text, key
        assert text, key
        assert holes(text) == holes(english.texts[key]), key
    assert (len(words.days), len(words.months)) == (7, 12)


def test_every_word_is_used_and_every_used_word_exists() -> None:
    sources = [*PANEL.glob("*.py"), *(PANEL / "templates").rglob("*.html")]
    text = "\n".join(path.read_text("utf-8") for path in sources)
    asked = set(re.findall(r"(?:voice|say)\(\s*[\"'](\w+)[\"']\s*[,)]", text))
    known = set(load("en").texts)
    assert asked <= known
    quoted = set(re.findall(r"[\"'](\w+)[\"']", text))
    prefixes = (*re.findall(r"f[\"'](\w+_)\{", text), "look_")
    idle = {k for k in known - quoted if not k.startswith(prefixes)}
    assert not idle


@pytest.mark.parametrize("language", LANGUAGES)
def test_whatever_a_room_can_move_has_a_name_and_its_usual_values(language: str) -> None:
    english, words = load("en").texts, load(language).texts
    for word in (*(f"actuator_{sort}" for sort in CLASSES), *WORDS):
        assert words[word]
        assert language in ("en", "fr") or words[word] != english[word], word


def test_a_word_that_is_missing_is_named() -> None:
    with pytest.raises(PanelError, match=r"en\.toml: no word 'nonsense'"):
        load("en")("nonsense")


@pytest.mark.parametrize(
    ("asked", "kept", "accepted", "chosen"),
    [
        (None, None, "", "en"),
        ("fr", "de", "es", "fr"),
        ("xx", "de", "es", "de"),
        (None, None, "pt, es;q=0.4, de-AT;q=0.9", "de"),
        (None, None, "de;q=0, xx", "en"),
        (None, None, "de;q=nonsense,," * 50, "en"),
        ("../../etc/passwd", None, "\x00;q=9", "en"),
    ],
)
def test_the_best_language_there_is(
    asked: str | None, kept: str | None, accepted: str, chosen: str
) -> None:
    assert choose(asked, kept, accepted, "en") == chosen
