"""`roomkeeper-edge policy`, as a person runs it."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge.cli import main

ROOT = Path(__file__).parents[2]


@pytest.fixture
def house(tmp_path):
    shutil.copytree(ROOT / "config", tmp_path / "config")
    (tmp_path / "wasm_modules").mkdir()
    return tmp_path / "config"


def run(house: Path, command: str, *args: str):
    config = str(house / "room.toml")
    return CliRunner().invoke(main, ["policy", command, "--config", config, *args])


def policy(house: Path, old: str, new: str) -> None:
    path = house / "policies/room.cedar"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))


def test_what_ships_is_right(house):
    checked = run(house, "check")
    assert (checked.exit_code, "forbids fit room.cedarschema" in checked.output) == (0, True)
    tested = run(house, "test")
    assert tested.exit_code == 0
    assert "cases as expected" in tested.output
    assert "no case" not in tested.output
    assert len(run(house, "test", "--all").output.splitlines()) > 50


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('@id("life-temperature")\n', "", "(forbid) has no name: write @id"),
        ("context.co2 >=", "context.co3 >=", "life-air: attribute `co3` in context"),
        ("principal is Schedule", "principal is Sched", "unrecognized entity type `Sched`"),
        ("permit (principal", "permit principal", "room.cedar: "),
    ],
)
def test_a_policy_that_does_not_fit_is_named(house, old, new, said):
    policy(house, old, new)
    for result in (
        run(house, "check"),
        CliRunner().invoke(main, ["check-config", str(house / "room.toml")]),
    ):
        assert result.exit_code == 1
        assert said in result.output
        assert "room.cedar: " in result.output
        assert "Traceback" not in result.output


def test_a_schema_that_is_not_there_is_named(house):
    (house / "policies/room.cedarschema").unlink()
    result = run(house, "check")
    assert result.exit_code == 1
    assert "room.cedarschema: cannot be read" in result.output
    plain = CliRunner().invoke(main, ["check-config", str(house / "room.toml")])
    assert plain.exit_code == 0, "a policy of one's own needs none to be used"


def test_a_policy_beside_which_no_schema_could_stand_is_checked_without(house):
    policies, name = house / "policies", "x" * 249 + ".cedar"
    (policies / "room.cedar").rename(policies / name)
    room = house / "room.toml"
    room.write_text(room.read_text().replace("policies/room.cedar", f"policies/{name}"))
    done = CliRunner().invoke(main, ["check-config", str(room)])
    assert done.exit_code == 0, done.output
    checked = run(house, "check")
    assert checked.exit_code == 1
    assert "cannot be read: File name too long" in checked.output


def test_a_case_that_comes_out_otherwise_fails_with_its_line(house):
    policy(house, "context.value10 > 280", "context.value10 > 290")
    result = run(house, "test")
    assert result.exit_code == 1
    assert "BAD  plugin:climate     climate.setpoint = 28.1" in result.output
    table = house / "policies/room.cases.toml"
    line = next(line for line in result.output.splitlines() if "expected deny" in line)
    number = int(line.rpartition(":")[2].rstrip(")"))
    assert table.read_text().splitlines()[number - 1] == "[[case]]"
    assert "value = 28.1" in table.read_text().splitlines()[number + 2]


def test_what_no_case_decides_is_listed(house, tmp_path):
    table = tmp_path / "few.toml"
    table.write_text('[[case]]\nwho = "plugin:x"\nactuator = "light.main"\nexpect = "deny"\n')
    result = run(house, "test", str(table))
    assert result.exit_code == 0
    assert "1 of 1 cases as expected" in result.output
    assert result.output.count("no case is decided by") == 24


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[case]]\nwho = "door"\nactuator = "a"\nexpect = "deny"\n', "case[1].who = 'door'"),
        ('[[case]]\nwho = "plugin:"\nactuator = "a"\nexpect = "deny"\n', "case[1].who"),
        ('[[case]]\nwho = "schedule"\nexpect = "deny"\n', "either an actuator or an action"),
        (
            '[[case]]\nwho = "schedule"\nactuator = "a"\nexpect = "deny"\nby = ["no"]\n',
            "case[1].by = ['no']: allowed is policies of the file: lights-plugin",
        ),
        ('[[case]]\nwho = "schedule"\nactuator = "a"\nexpect = "perhaps"\n', "case[1].expect"),
        (
            '[[case]]\nwho = "schedule"\nactuator = "a"\nexpect = "deny"\ncontext = { dark = 1 }\n',
            "context.dark: unknown key",
        ),
        ("[context]\n", "case: is missing"),
        ("[[case", "is not TOML"),
    ],
)
def test_a_table_that_makes_no_sense_is_named(house, tmp_path, text, said):
    table = tmp_path / "cases.toml"
    table.write_text(text)
    result = run(house, "test", str(table))
    assert result.exit_code == 1
    assert said in result.output
    assert str(table) in result.output


def test_a_table_that_is_not_there_is_named(house):
    result = run(house, "test", "nowhere.toml")
    assert result.exit_code == 1
    assert "nowhere.toml: cannot be read" in result.output
