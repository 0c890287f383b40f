"""The age of what machines are made of: shown, and said when it is too much."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from cloud_bridge.admin.facts import Facts, ImageFile
from cloud_bridge.admin.images import images_view
from cloud_bridge.admin.reading import PARTS
from cloud_bridge.admin.say import Say
from cloud_bridge.admin.site import UTC
from cloud_bridge.admin.view import overview
from cloud_bridge.config_templates import TemplateSection, changed_at
from tests.world.office import Office
from tests.world.office_scenes import well

DAY = 86400.0


def view(made: float, old_days: int, now: float = 1e9) -> tuple[str, str]:
    (one,) = images_view(Facts(images=(ImageFile("t", made, old_days),)), Say(UTC, now))
    return one.word, one.age


def test_an_image_is_old_after_its_days_and_missing_when_it_is_not_there() -> None:
    assert view(1e9 - 31 * DAY, 30) == ("Old", "31 days ago")
    assert view(1e9 - 29 * DAY, 30)[0] == "Fresh"
    assert view(1e9 - 3000 * DAY, 0)[0] == "There"
    assert view(1e9 + DAY, 1)[0] == "Fresh"
    assert view(0.0, 30) == ("Missing", "never")


def test_the_oldest_file_counts(tmp_path: Path) -> None:
    kernel, disk = tmp_path / "kernel", tmp_path / "disk"
    section = TemplateSection(kernel=str(kernel), disk=str(disk))
    assert changed_at(section) == 0.0
    for path, made in ((kernel, 3e8), (disk, 2e8)):
        path.touch()
        os.utime(path, (made, made))
    assert changed_at(section) == 2e8
    disk.unlink()
    assert changed_at(section) == 0.0
    assert changed_at(TemplateSection()) == 0.0


@pytest.mark.parametrize("template", ["old-one", "gone"])
def test_the_pages_say_it(office: Office, template: str) -> None:
    well(office)
    made = office.wall - 40 * DAY if template == "old-one" else 0.0
    office.images = (ImageFile("fresh-one", office.wall - DAY, 30), ImageFile(template, made, 30))
    office.mono += 10
    office.follower.step()
    assert office.follower.facts.images == office.images
    words = {one.template: one.word for one in images_view(office.follower.facts, say(office))}
    assert words == {"fresh-one": "Fresh", template: "Old" if made else "Missing"}
    (told,) = overview(office.follower.facts, say(office)).attention
    assert (told.where, told.href) == (template, f"/machines#i-{template}")
    assert "images" in PARTS["machines"]
    assert not overview(replace(office.follower.facts, images=()), say(office)).attention


def say(office: Office) -> Say:
    return Say(UTC, office.wall)
