"""A journal recorded by a real room, lived through again with another build of its plugin."""

import shutil
from pathlib import Path

import pytest

from edge.workshop.build import build_into
from edge.workshop.testing import recorded
from tests.workshop.authors import TOOLS, call, needs
from tests.workshop.recording import record
from tests.world.places import ROOT

SCENE = "wanted * m->share"


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("room"))


@pytest.fixture
def lights(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "wasm_modules" / "lights", tmp_path / "lights"))


@pytest.mark.slow
def test_the_recorded_build_would_have_changed_nothing(journal: Path, lights: Path) -> None:
    lines: list[str] = []
    report = recorded(lights, journal, {}, True, lines.append)
    assert report.events >= 6
    assert report.decisions >= 6
    assert report.same, "\n".join(lines)
    assert (report.proposals, report.effects, report.worded_otherwise) == ([], [], 0)
    assert lines[0].endswith("on the bench")
    assert "lights 0." in lines[0].split(":", 1)[1].split("recorded")[0]


@pytest.mark.slow
def test_a_changed_source_shows_in_answers_and_decisions(journal: Path, lights: Path) -> None:
    needs(*TOOLS["c"])
    source = lights / "lights.c"
    text = source.read_text()
    assert text.count(SCENE) == 1
    source.write_text(text.replace(SCENE, f"{SCENE} * 0.5"))
    assert build_into(lights).changed
    said = call("test", lights, "--journal", journal, "--all", code=1)  # golden events differ
    answers, decisions = said.split("answers that come out")[1].split("decisions that come out")
    assert "    - light.main = 80 for" in answers
    assert "    + light.main = 40 for" in answers
    assert "    - light.main = 80  (plugin:lights:" in decisions
    assert "    + light.main = 40  (plugin:lights:" in decisions
    assert "light.main would have stood otherwise for" in decisions
    assert "golden events are answered otherwise" in said


@pytest.mark.slow
def test_a_setting_is_tried_on_a_recording(journal: Path, lights: Path) -> None:
    lines: list[str] = []
    report = recorded(lights, journal, {"default_level": 30.0}, True, lines.append)
    assert report.decided_otherwise >= 3
    assert report.otherwise["light.main"] > 0
    assert any("+ light.main = 30" in line for line in report.effects)
