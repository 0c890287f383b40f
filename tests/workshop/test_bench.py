"""`plugin bench`: figures that can be believed, whatever they are, and limits that are held."""

import shutil
from pathlib import Path

from edge.workshop.bench import bench
from tests.workshop.authors import call
from tests.world.places import ROOT


def test_the_lights_plugin_is_measured() -> None:
    lines: list[str] = []
    figures = bench(ROOT / "wasm_modules" / "lights", 20, lines.append)
    assert 0 < figures.reused_us[0] <= figures.reused_us[-1]
    assert len(figures.fresh_us) == 20
    assert 1 <= figures.memory_mb <= 4
    assert 128 * 60 < figures.answer < 128 * 1024
    assert sum("what its manifest asks for" in line for line in lines) == 1
    assert "call, fresh" in next(line for line in lines if "manifest asks" in line)
    assert any("memory" in line and "of 4 MB" in line for line in lines)


def test_an_answer_beyond_its_limit_is_said(tmp_path: Path) -> None:
    folder = shutil.copytree(ROOT / "wasm_modules" / "lights", tmp_path / "lights")
    manifest = folder / "plugin.toml"
    manifest.write_text(manifest.read_text().replace("output_kb = 128", "output_kb = 4"))
    said = call("bench", folder, "--calls", 20, code=1)
    assert "lights answered" in said
    assert "its manifest allows 4096" in said
