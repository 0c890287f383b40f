"""Golden events: what differs is shown line by line, and accepted only when asked to."""

import json
import shutil
from pathlib import Path

import pytest

from edge.contracts.commands import PluginCommand
from edge.contracts.plugin import PluginOutput
from edge.workshop.golden import differences
from tests.workshop.authors import call
from tests.world.places import ROOT


@pytest.fixture
def lights(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "wasm_modules" / "lights", tmp_path / "lights"))


def test_the_shipped_ones_hold(lights: Path) -> None:
    said = call("test", lights)
    assert "BAD" not in said
    assert said.count("ok  ") == len(list((lights / "golden").glob("*.json")))


def test_a_difference_is_shown_and_accepted_on_request(lights: Path) -> None:
    file = lights / "golden" / "people-arrive.json"
    document = json.loads(file.read_bytes())
    good = json.dumps(document["output"], sort_keys=True)
    document["output"]["commands"][0]["value"] = 1
    file.write_text(json.dumps(document))
    said = call("test", lights, code=1)
    assert "BAD  people-arrive.json" in said
    assert "- " in said
    assert "= 1 for" in said
    assert "1 golden events are answered otherwise" in said
    call("test", lights, "--accept")
    after = json.loads(file.read_bytes())
    assert json.dumps(after["output"], sort_keys=True) == good
    assert (after["title"], after["input"]) == (document["title"], document["input"])
    call("test", lights)


def test_a_new_event_gets_its_output_by_accepting(lights: Path) -> None:
    file = lights / "golden" / "fresh.json"
    document = json.loads((lights / "golden" / "held.json").read_bytes())
    del document["output"]
    file.write_text(json.dumps(document))
    assert "BAD  fresh.json" in call("test", lights, code=1)
    call("test", lights, "--accept")
    assert json.loads(file.read_bytes())["output"]["commands"]


@pytest.mark.parametrize("text", ["", "{", '{"title": 1}', '{"title":"x","input":{},"more":1}'])
def test_a_broken_file_is_named(lights: Path, text: str) -> None:
    (lights / "golden" / "broken.json").write_text(text)
    assert "broken.json" in call("test", lights, code=1)


def test_differences_name_what_went_and_what_came() -> None:
    def command(value: float, reason: str = "") -> PluginCommand:
        return PluginCommand("e1", "light.main", value, 60.0, reason)

    old, new = PluginOutput((command(1.5),), "a"), PluginOutput((command(2.0, "why"),), "b")
    assert list(differences(old, old)) == []
    assert list(differences(old, new)) == [
        "- e1: light.main = 1.5 for 60 s",
        "+ e1: light.main = 2 for 60 s  (why)",
        "- state a",
        "+ state b",
    ]
    twice = PluginOutput((command(1.5), command(1.5)), "a")
    assert list(differences(old, twice)) == ["~ the same commands in another order or number"]


@pytest.mark.parametrize(
    ("pair", "fits"),
    [("hold_s=5", True), ("hold_s", False), ("hold_s=[1]", False), ("actuator=lamp", True)],
)
def test_settings_are_written_as_in_toml(lights: Path, pair: str, fits: bool) -> None:
    nowhere = lights / "none.journal"
    said = call("test", lights, "--journal", nowhere, "--set", pair, code=1)
    assert ("is no file" in said) == fits
