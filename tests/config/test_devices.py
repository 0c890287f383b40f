"""Mistakes between actuators and the tables of their devices are named before the start."""

import shutil
from pathlib import Path

import pytest

from edge.config import ConfigError, load_room
from tests.test_docs import with_examples

CAMERA = """presets = { home = 0, table = 1, presenter = 2 }"""


ROOT = Path(__file__).parents[2]


@pytest.fixture
def shown(tmp_path):
    """The shipped room with every example in use; edit(old, new) loads it with a change."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    (tmp_path / "wasm_modules").mkdir()
    path = tmp_path / "config/room.toml"
    text = with_examples(path.read_text())

    def edit(old, new):
        assert old in text
        path.write_text(text.replace(old, new, 1))
        load_room(path)

    return edit


def test_the_examples_fit(shown):
    shown("", "")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('device = "ptz"', 'device = "ptx"', "the name of a [[visca]]: ptz"),
        ('part = "preset"', 'part = "gain"', "one of preset, shutter"),
        ('part = "preset"', 'part = "shutter"', "some of open, closed"),
        ('part = "shutter"', 'part = "preset"', "some of home, table, presenter"),
        (CAMERA, "presets = { home = 0 }", "some of home"),
        (CAMERA, "", "at least one name"),
        (CAMERA, "presets = { home = 300 }", "127"),
        ("privacy = 9", "privacy = 1", "a preset that no name stands for"),
        ('part = "gain"', 'part = "mute"', "some of on, off"),
        ("max = 100.0\nfallback = 70.0", "max = 200.0\nfallback = 70.0", "0 to 150"),
        ('device = "default"', 'device = ""', '"default", or the name of a source'),
        ('device = "air-handler"', 'device = "boiler"', "air-handler, radiators"),
        ('part = "analog-output,2"', 'part = "analog-input,2"', "an object such as"),
        ('part = "analog-output,2"', 'part = "binary-output,2"', '["on", "off"] for a binary'),
        ('part = "multi-state-value,5"', 'part = "analog-value,5"', "min and max for an analog"),
        ('part = "power"', 'part = "input"', "some of laptop, player"),
        ('device = "wall-display"', 'device = "beamer"', "one display on the cable"),
        ('host = "192.0.2.10"', 'host = "cam era/1"', "host"),
        ('transport = "udp"', 'transport = "serial"', "transport"),
        ('name = "radiators"', 'name = "ptz"', "a name that no other device has"),
        ("instance = 3056", "instance = 4194303", "instance"),
        ("instance = 3056", "", "either address or instance"),
        ("priority = 12", "priority = 0", "priority"),
        ('address = "192.0.2.5/24"', 'address = "host/24"', "address"),
        ('address = "192.0.2.5/24"', 'address = ""', "bacnet with [bacnet] address"),
        ('adapter = "/dev/cec0"', 'adapter = "/dev/../etc/passwd"', "adapter"),
        ('laptop = "1.0.0.0"', 'laptop = "first"', "cec.inputs"),
    ],
)
def test_a_mistake_is_named_with_what_is_allowed(shown, old, new, said):
    with pytest.raises(ConfigError) as error:
        shown(old, new)
    assert said in str(error.value)
