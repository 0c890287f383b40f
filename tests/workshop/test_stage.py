"""The made-up room: real pure parts, real sandbox, and the same day each time."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click
import msgspec

from edge.plugins.install import InstalledPlugin
from edge.workshop.narrate import Narrator
from edge.workshop.stage import Scene, Stage, permit
from edge.workshop.trial import Trial, read_plugin
from tests.plugins.guests import component, guest
from tests.world.places import ROOT

LIGHTS = ROOT / "wasm_modules" / "lights"


@contextmanager
def stage(plugin: InstalledPlugin, hour: float = 7.5) -> Iterator[Stage]:
    trial = Trial(plugin)
    try:
        yield Stage(trial, hour)
    finally:
        trial.close()


def told(scenes: list[Scene]) -> list[str]:
    narrator = Narrator()
    return [click.unstyle(line) for scene in scenes for line in narrator.lines(scene)]


def test_a_morning_with_the_lights_plugin() -> None:
    with stage(read_plugin(LIGHTS)) as room:
        scenes = list(room.advance(9.2))
        assert room.hour == 9.2
        assert room.day.values["light.main"] not in (0, 100)
    lines = told(scenes)
    assert any(line.startswith("08:36:00  1 person in the room") for line in lines)
    assert any("light.main = " in line and line.endswith("-> given") for line in lines)
    assert any("meeting: active quiet-video" in line for line in lines)
    assert not any("refused" in line for line in lines)


def test_the_day_is_the_same_each_time() -> None:
    days = []
    for _ in range(2):
        with stage(read_plugin(LIGHTS)) as room:
            days.append(list(room.advance(8.8)))
    assert days[0] == days[1]


def test_what_a_person_holds_and_a_manifest_forbids_is_shown() -> None:
    plugin = read_plugin(LIGHTS)
    with stage(plugin, 13.2) as room:
        lines = told(list(room.advance(13.6)))
    assert any("-> outranked: person:panel holds 100" in line for line in lines)
    rows = tuple(msgspec.structs.replace(row, max=5.0) for row in plugin.manifest.actuators)
    narrow = replace(plugin, manifest=msgspec.structs.replace(plugin.manifest, actuators=rows))
    with stage(narrow) as room:
        lines = told(list(room.advance(9.2)))
    assert any("-> refused by policy manifest: its manifest allows 0 to 5" in x for x in lines)


def test_a_plugin_that_fails_is_said_and_quarantined() -> None:
    with stage(guest(component(body="unreachable"))) as room:
        scenes = list(room.advance(9.5))
        assert room.quarantined
    failed = [scene for scene in scenes if scene.failed]
    assert len(failed) == 3
    assert any("FAILED on tick" in line for line in told(scenes))


def test_a_new_plugin_needs_a_permit_and_the_stage_writes_it() -> None:
    text = permit(guest(component()).manifest)
    assert 'principal == Plugin::"guest"' in text
    assert '["light"].contains(context.class)' in text


def test_a_folder_that_was_not_built_says_so(tmp_path: Path) -> None:
    from tests.workshop.authors import call

    call("new", "lamp", "--into", tmp_path)
    assert "build it first" in call("test", tmp_path / "lamp", code=1)
    (tmp_path / "lamp" / "lamp.wasm").write_bytes(b"\0asm")
    assert "build it again" in call("test", tmp_path / "lamp", code=1)
