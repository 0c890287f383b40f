"""Documents that lie fail the build: settings, commands, targets, what must not be there."""

import importlib
import itertools
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import click
import msgspec
import pytest

from edge.config import load_room
from edge.config_schema import IntentSection, RoomConfig, SloSection
from edge.drivers import Drivers
from edge.process.link import Broker, Link

LINK = Link("devices", Broker("127.0.0.1", 9))
ROOT = Path(__file__).parents[1]


def settings(kind, prefix=""):
    """Yield every setting of a section as a dotted path; a list of tables is one table."""
    for field in msgspec.structs.fields(kind):
        inner = [field.type, *getattr(field.type, "__args__", ())]
        struct = next(
            (t for t in inner if isinstance(t, type) and issubclass(t, msgspec.Struct)), None
        )
        if struct is None:
            yield prefix + field.encode_name
        else:
            yield from settings(struct, f"{prefix}{field.encode_name}.")


def written(table, prefix=""):
    """Yield the dotted path of every key in a TOML table."""
    for key, value in table.items():
        yield prefix + key
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, dict):
                yield from written(inner, f"{prefix}{key}.")


def with_examples(text):
    """Take the "#" away from settings that are commented out; comments have a blank after it."""
    text = re.sub(r"(?m)^#(?=[\[a-z])", "", text)
    return re.sub(r'(such as ("[^"]+")\.\naddress = )""', r"\1\2", text)


def test_every_setting_of_a_room_stands_in_the_shipped_file_with_a_comment():
    text = with_examples((ROOT / "config/room.toml").read_text())
    missing = set(settings(RoomConfig)) - set(written(tomllib.loads(text)))
    # An entity's keys are Home Assistant's own, as its documents list them.
    assert {key for key in missing if not key.startswith("actuators.entity.")} == set()
    assert "[actuators.entity]" in text
    assert text.count("#") > 60


def defaults(kind, table, prefix=()):
    """Yield (path, value, default) of what a table of the shipped file sets; of lists, nothing."""
    for field in msgspec.structs.fields(kind):
        path = (*prefix, field.encode_name)
        value = table.get(field.encode_name)
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            yield from defaults(field.type, value or {}, path)
        elif value is not None and path != ("actuators",):
            made = field.default_factory
            default = field.default if made is msgspec.NODEFAULT else made()
            yield path, tuple(value) if isinstance(value, list) else value, default


def comment_of(text, path):
    """Return the comment above a key, with that above the keys and headers right before it."""
    lines = text.split("\n")
    tables = {".".join(path): ".".join(path)} | {".".join(path[:-1]): path[-1]}
    at, here = -1, ""
    for number, line in enumerate(lines):
        if line.startswith("["):
            here = line.strip("[]")
            if here.startswith(".".join(path)):
                at = number
                break
        if line.split(" = ")[0] == tables.get(here):
            at = number
            break
    above = []
    for line in reversed(lines[:at]):
        if not line:
            break
        above.append(line)
    return " ".join(reversed(above)).replace("# ", "")


def test_the_shipped_file_says_where_what_it_shows_is_not_the_default():
    text = (ROOT / "config/room.toml").read_text()
    told = []
    for path, value, default in defaults(RoomConfig, tomllib.loads(text)):
        if value != default:
            assert re.search("Required|[Ll]eft out", comment_of(text, path)), path
            told.append(".".join(path))
    assert {"room.timezone", "site.port", "nodes", "machines.cost_per_h"} <= set(told)


def test_what_the_shipped_file_shows_as_examples_is_a_room_that_starts(tmp_path):
    shutil.copytree(ROOT / "config", tmp_path / "config")
    (tmp_path / "wasm_modules").mkdir()
    path = tmp_path / "config/room.toml"
    path.write_text(with_examples(path.read_text()))
    names = {driver.name for driver in Drivers(load_room(path), LINK, print, print).all}
    assert names == {
        "driver:vm",
        "driver:mqtt",
        "driver:visca",
        "driver:mixer",
        "driver:bacnet",
        "driver:cec",
    }


def test_every_setting_of_an_intent_stands_in_the_shipped_file():
    table = tomllib.loads((ROOT / "config/intents.toml").read_text())
    found = {key for intent in table["intent"].values() for key in intent}
    assert found == set(IntentSection.__struct_fields__)
    promises = {key for intent in table["intent"].values() for key in intent.get("slo", ())}
    assert promises == set(SloSection.__struct_fields__)


def commands(group, prefix=""):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}"


@pytest.mark.parametrize("program", ["edge", "cloud_bridge"])
def test_every_command_stands_in_the_readme(program):
    readme = ROOT / "README.md"
    if not readme.exists() or not (ROOT / program / "cli.py").exists():
        pytest.skip("needs README.md and the command line")
    main = importlib.import_module(f"{program}.cli").main
    name = {"edge": "roomkeeper-edge", "cloud_bridge": "roomkeeper-cloud"}[program]
    lines = readme.read_text().splitlines()
    assert [c for c in commands(main) if not any(tells(line, name, c) for line in lines)] == []


def tells(line, program, command):
    """Return whether a line names the command, in full or as one more of its group."""
    group, _, leaf = command.rpartition(" ")
    return f"{program} {command}" in line or (
        group != "" and f"{program} {group}" in line and f"`{leaf}`" in line
    )


def test_every_make_target_explains_itself():
    text = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^\.PHONY: (.+)$", text, re.MULTILINE)[0].split())
    assert targets - set(re.findall(r"^([a-z-]+):.*## ", text, re.MULTILINE)) == {"setup-python"}


def tracked():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("needs a git checkout")
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name]


# Split, so that this file does not contain them.
FORBIDDEN = [
    "/wo" + "rk/", "/ro" + "ot/", "pypi" + ".org", "files.python" + "hosted", "registry.npm" + "js",
    "/opt/py" + "pi", "/opt/wh" + "eels", "index" + "-url",
]  # fmt: skip
ALLOWED = {("lock/update.sh", "index" + "-url")}


def test_no_path_of_a_machine_and_no_address_of_a_registry_is_in_the_tree():
    found = []
    for path in tracked():
        if not path.is_file():
            continue
        data = path.read_bytes()
        name = str(path.relative_to(ROOT))
        found += [
            f"{name}: {word}"
            for word in FORBIDDEN
            if word.encode() in data and (name, word) not in ALLOWED
        ]
    assert found == []


def test_the_lock_files_pin_hashes():
    for path in (ROOT / "lock").glob("*.txt"):
        text = path.read_text()
        pins = re.findall(
            r"^[a-z][\w.-]*==\S+.*\\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE
        )
        assert len(pins) == len(re.findall(r"^[a-z]", text, re.MULTILINE)), path.name


def test_what_ships_from_others_is_attributed():
    notice = (ROOT / "NOTICE").read_text()
    for model in (ROOT / "edge/models").glob("*.tflite"):
        assert model.with_suffix(".md").exists(), f"{model.name} needs a model card"
        assert model.name in notice or "occupancy" in model.name
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    wanted = project["dependencies"] + list(
        itertools.chain(*project["optional-dependencies"].values())
    )
    names = {re.split(r"[<>=;\[ ]", line)[0].lower() for line in wanted}
    assert [name for name in sorted(names) if name not in notice.lower()] == []
