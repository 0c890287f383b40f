"""The design tokens: every pair of colours that meets on a page can be told apart."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
THEME = ROOT / "config" / "theme"
PANEL = ROOT / "edge" / "panel"
TONES = ("free", "pending", "busy", "ending", "unknown")
GROUNDS = ("paper", "surface", "raised")

TEXT = [
    *((ink, ground) for ink in ("ink", "ink-2", "ink-3") for ground in GROUNDS),
    ("ink", "sunken"), ("ink-2", "sunken"), ("accent", "surface"), ("accent", "accent-soft"),
    ("on-accent", "accent"), ("paper", "ink"),
    *((f"on-{tone}", tone) for tone in TONES),
    *((f"{tone}-ink", f"{tone}-soft") for tone in TONES),
]  # fmt: skip
SHAPES = [
    *(("line-strong", ground) for ground in (*GROUNDS, "sunken")),
    *(("accent", ground) for ground in (*GROUNDS, "sunken")),
    *(("focus", ground) for ground in GROUNDS),
    *((tone, "surface") for tone in ("free", "busy", "ending")),
    *((f"series-{n}", "surface") for n in range(1, 5)),
]


def tokens(side: int) -> dict[str, str]:
    text = (THEME / "tokens.css").read_text("utf-8")
    pairs = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", text)
    return {name: colours[side] for name, *colours in pairs}


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("side", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), TEXT)
def test_text_stands_out(ink: str, ground: str, side: int) -> None:
    known = tokens(side)
    assert contrast(known[ink], known[ground]) >= 4.5


@pytest.mark.parametrize("side", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("shape", "ground"), SHAPES)
def test_shapes_stand_out(shape: str, ground: str, side: int) -> None:
    known = tokens(side)
    assert contrast(known[shape], known[ground]) >= 3.0


def test_every_token_that_is_used_exists() -> None:
    sheets = [*THEME.glob("*.css"), PANEL / "static" / "panel.css"]
    text = "\n".join(sheet.read_text("utf-8") for sheet in sheets)
    defined = set(re.findall(r"(--[\w-]+):", text))
    used = set(re.findall(r"var\((--[\w-]+)\)", text))
    assert used <= defined


def test_every_icon_that_is_used_is_drawn() -> None:
    drawn = set(re.findall(r'id="i-([\w]+)"', (THEME / "icons.svg").read_text("utf-8")))
    templates = "\n".join(p.read_text("utf-8") for p in (PANEL / "templates").rglob("*.html"))
    used = set(re.findall(r'icon\("(\w+)"', templates))
    from edge.panel.gauges import BADGE
    from edge.panel.view import CONSENTS

    used |= set(BADGE.values()) | {icon for _, icon in CONSENTS}
    assert used <= drawn


def test_nothing_is_styled_or_run_inline() -> None:
    for path in (PANEL / "templates").rglob("*.html"):
        text = path.read_text("utf-8")
        assert not re.search(r"\sstyle=|<style|\son\w+=|javascript:", text), path
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text)), path
