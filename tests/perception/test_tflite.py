"""Only models named by their checksum are loaded; every other one is refused with a remedy."""

import hashlib
from pathlib import Path

import pytest

from edge.perception.errors import ModelError
from edge.perception.people import MODEL, PeopleCounter
from edge.perception.tflite import SUMS, TfliteModel, read_checked

SHAPES = ((1, 256, 256, 3), (1, 6, 56))


def place(folder: Path, data: bytes, listed: bytes | None = None) -> Path:
    """Write a model and the checksum of `listed` (by default its own)."""
    path = folder / "model.tflite"
    path.write_bytes(data)
    digest = hashlib.sha256(data if listed is None else listed).hexdigest()
    (folder / SUMS).write_text(f"{digest}  model.tflite\n")
    return path


def test_every_shipped_model_has_its_checksum_and_its_card() -> None:
    models = sorted(MODEL.parent.glob("*.tflite"))
    listed = [line.split()[1] for line in (MODEL.parent / SUMS).read_text().splitlines()]
    assert sorted(listed) == [path.name for path in models]
    for path in models:
        assert read_checked(path)
        card = path.with_suffix(".md").read_text("utf-8")
        assert "licence" in card
        assert "sha256" in card


def test_a_changed_model_is_refused(tmp_path: Path) -> None:
    data = bytearray(MODEL.read_bytes())
    data[5_000_000] ^= 1
    with pytest.raises(ModelError, match=r"model\.tflite was changed .*reinstall roomkeeper"):
        PeopleCounter(place(tmp_path, bytes(data), listed=MODEL.read_bytes()))


def test_a_model_nobody_listed_is_refused_and_the_line_to_add_is_told(tmp_path: Path) -> None:
    path = place(tmp_path, b"x")
    (tmp_path / SUMS).write_text("")
    with pytest.raises(ModelError, match=hashlib.sha256(b"x").hexdigest() + r"  model\.tflite"):
        read_checked(path)


def test_a_missing_model_or_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"gone\.tflite"):
        read_checked(tmp_path / "gone.tflite")
    (tmp_path / "alone.tflite").write_bytes(b"x")
    with pytest.raises(ModelError, match=SUMS):
        read_checked(tmp_path / "alone.tflite")


@pytest.mark.parametrize("size", [0, 3, 100, 70_000, 5_000_000])
def test_a_truncated_model_is_refused(tmp_path: Path, size: int) -> None:
    whole = MODEL.read_bytes()
    with pytest.raises(ModelError, match="was changed"):
        TfliteModel(place(tmp_path, whole[:size], listed=whole), *SHAPES)


@pytest.mark.parametrize("data", [b"", b"TFL", bytes(50_000)], ids=["empty", "short", "zeros"])
def test_a_listed_file_that_is_no_model_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ModelError, match="not a TFLite model"):
        TfliteModel(place(tmp_path, data), *SHAPES)


def test_a_model_of_another_form_is_refused() -> None:
    with pytest.raises(ModelError, match=r"input .*256.*expected one of \(1, 14\)"):
        TfliteModel(MODEL, (1, 14), (1, 1))
