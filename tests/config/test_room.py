"""room.toml and intents.toml: what ships is right, and every mistake is named."""

import dataclasses
import re
import shutil
from pathlib import Path

import msgspec
import pytest

from edge import config_schema
from edge.config import ConfigError, load_intents, load_room, read_secret
from edge.fusion.state import FusionRules
from edge.meetings.life import MeetingRules

ROOT = Path(__file__).parents[2]


@pytest.fixture
def house(tmp_path):
    """A copy of the shipped configuration, to be broken."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    (tmp_path / "wasm_modules").mkdir()
    return tmp_path / "config"


def change(path: Path, old: str, new: str) -> Path:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return path


def test_what_ships_is_right_and_its_paths_are_absolute(house):
    room = load_room(house / "room.toml")
    assert room.room.id == "aurora"
    assert room.policy.file == str(house / "policies" / "room.cedar")
    assert room.journal.path == str(house.parent / "build" / "room.journal")
    assert room.fallbacks == {"light.main": 0, "climate.setpoint": 18.0}
    assert [rule.actuator for rule in room.gate_rules] == ["light.main", "climate.setpoint", "vm/*"]
    intents = {intent.name: intent for intent in load_intents(Path(room.intents.file), room)}
    assert intents["live-demo"].vm == "demo-small"
    assert intents["quiet-video"].targets == {"light.main": 60, "climate.setpoint": 21.5}


@pytest.mark.parametrize(
    ("section", "rules"), [("MeetingsSection", MeetingRules), ("FusionSection", FusionRules)]
)
def test_the_rules_of_the_core_are_all_settings_with_the_same_defaults(section, rules):
    made = rules(**msgspec.structs.asdict(getattr(config_schema, section)()))
    assert made == rules()
    assert {f.name for f in dataclasses.fields(rules)} == set(
        getattr(config_schema, section).__struct_fields__
    )


MISTAKES = [
    ("threshold = 0.15", "threshold = 1.5", "camera.threshold = 1.5: allowed is float <= 1.0"),
    ("threshold = 0.15", "treshold = 0.15", "camera.treshold: unknown key; did you mean"),
    ("fps = 2.0", "fps = nan", "camera.fps = nan"),
    ("[camera]", "[kamera]", "kamera: unknown key; did you mean 'camera'?"),
    ("[camera]", "[xyz]", "xyz: unknown key; allowed are room, calendar"),
    ('id = "aurora"', 'id = "Aurora Room"', "room.id = 'Aurora Room'"),
    ('id = "aurora"', "", "room.id: is missing and has no default"),
    ("Europe/Berlin", "Europe/Atlantis", "room.timezone = 'Europe/Atlantis': allowed is a name"),
    ("Europe/Berlin", "../../etc/passwd", "room.timezone"),
    ("port = 1883", "port = 0", "broker.port = 0: allowed is int >= 1"),
    ("port = 1883", 'port = "1883"', "broker.port = '1883': allowed is int, got str"),
    ('cert = ""', 'cert = "me.pem"', "broker.cert = 'me.pem': allowed is cert and key together"),
    ("http://127.0.0.1:5232", "ftp://127.0.0.1", "calendar.url"),
    ("poll_s = 15.0", "poll_s = 0.5", "calendar.near_poll_s = 1.0: allowed is at most poll_s"),
    ("leave = 0.3", "leave = 0.9", "fusion.leave = 0.9: allowed is less than enter (0.7)"),
    ('driver = "vm"', 'driver = "vmware"', "actuators[3].driver = 'vmware'"),
    ('name = "vm/*"', 'name = "vm.one"', 'allowed is "vm/*"'),
    ('name = "climate.setpoint"', 'name = "light.main"', "a name that no other actuator has"),
    ("max = 100.0", "max = 0.0", "actuators[1].max = 0.0: allowed is above min (0)"),
    ("fallback = 18.0", "fallback = 12.0", "actuators[2].fallback = 12.0: allowed is a number"),
    ("fallback = 18.0", "fallback = true", "actuators[2].fallback = True"),
    ('device = "thermostat"', 'device = ""', "actuators[2].device = ''"),
    ('dialect = "zigbee2mqtt"', 'dialect = "zwave"', "actuators[1].dialect = 'zwave'"),
    ('dialect = "zigbee2mqtt"', 'dialect = "homeassistant"', "actuators[1].entity = None: allowed"),
    ('field = "brightness"', 'field = "option"', "actuators[1].key = '': allowed is the property"),
    ('field = "brightness"', 'field = "state"', "actuators[1].values"),
    (
        'device = "light-main"',
        'device = "light/#"',
        "actuators[1].device = 'light/#': allowed is 1",
    ),
    ('base = ""', 'base = "$SYS"', "actuators[1].base = '$SYS': allowed is"),
    ('field = "brightness"', 'field = "colour"', "actuators[1].field = 'colour'"),
    ('enabled = ["lights", "climate"]', 'enabled = ["lights"]', "only for enabled plugins: lights"),
    ('file = "intents.toml"', 'file = "gone.toml"', "intents.file = "),
    ('folder = "../wasm_modules"', 'folder = "../away"', "a folder that exists"),
    ('password_file = ""', 'password_file = "none"', "broker.password_file"),
    ('path = "../build/room.journal"', 'path = "/"', "journal.path = '/': allowed is the name of"),
    ('level = "info"', 'level = "loud"', "log.level = 'loud'"),
    ("[room]", "[room", "is not TOML"),
    ('nodes = ["board-1"]', 'nodes = ["a", "a"]', "nodes = ['a', 'a']: allowed is each name once"),
    ('nodes = ["board-1"]', 'nodes = ["a/b"]', "nodes[1] = 'a/b'"),
]


@pytest.mark.parametrize(("old", "new", "said"), MISTAKES, ids=[m[2][:30] for m in MISTAKES])
def test_a_mistake_is_named_with_file_key_value_and_what_is_allowed(house, old, new, said):
    path = change(house / "room.toml", old, new)
    with pytest.raises(ConfigError) as caught:
        load_room(path)
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)


def test_a_mistake_names_the_line_it_stands_on(house):
    path = change(house / "room.toml", "fallback = 18.0", "fallback = 99.0")
    number = path.read_text().splitlines().index("fallback = 99.0") + 1
    with pytest.raises(ConfigError, match=rf"{re.escape(str(path))}:{number}: actuators\[2\]"):
        load_room(path)


def test_a_secret_that_others_can_read_is_refused_with_the_remedy(house):
    path = change(house / "room.toml", 'password_file = ""', 'password_file = "secret"')
    secret = house / "secret"
    secret.write_text("open sesame\n")
    secret.chmod(0o640)
    with pytest.raises(ConfigError, match=f"chmod 600 {re.escape(str(secret))}"):
        load_room(path)
    secret.chmod(0o600)
    assert read_secret(load_room(path).broker.password_file) == "open sesame"
    secret.write_text("\n")
    with pytest.raises(ConfigError, match="empty"):
        load_room(path)


def test_no_secret_at_all_is_no_mistake():
    assert read_secret("") == ""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe", "is not UTF-8"),
        (b"#" * (1024 * 1024 + 1), "is larger than"),
        (b"a=" + b"[" * 5000, "is not TOML"),
        (b"a=1\na=2", "is not TOML"),
    ],
)
def test_what_is_no_configuration_is_refused(tmp_path, content, said):
    path = tmp_path / "room.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=said):
        load_room(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"room\.toml: cannot be read: No such file"):
        load_room(tmp_path / "room.toml")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('file = "intents.toml"', f'file = "{"x" * 400}"', "intents.file = "),
        ('ca = ""', f'ca = "{"x" * 400}/ca.pem"', "broker.ca = "),
        ('folder = "../wasm_modules"', f'folder = "{"x" * 400}"', "plugins.folder = "),
        ('theme = "theme"', f'theme = "{"x" * 400}"', "panel.theme = "),
    ],
)
def test_a_path_that_cannot_be_looked_at_is_named(house, old, new, said):
    path = change(house / "room.toml", old, new)
    number = path.read_text().splitlines().index(new) + 1
    with pytest.raises(ConfigError, match="cannot: File name too long") as caught:
        load_room(path)
    assert str(caught.value).startswith(f"{path}:{number}: {said}'xxx")


@pytest.mark.parametrize(
    ("old", "said"),
    [
        ('file = "intents.toml"', r"intents.file = 'a\x00b': allowed is a path without"),
        ('password_file = ""', "broker.password_file = "),
        ('device = ""', "camera.device = "),
        ('path = "../build/room.journal"', "journal.path = "),
    ],
)
def test_a_path_with_a_null_character_is_named(house, old, said):
    path = change(house / "room.toml", old, f'{old.split(" = ")[0]} = "a\\u0000b"')
    with pytest.raises(ConfigError) as caught:
        load_room(path)
    assert str(caught.value).startswith(f"{path}:")
    assert said in str(caught.value)


def test_links_in_a_circle_are_no_file(house):
    (house / "circle").symlink_to(house / "circle")
    path = change(house / "room.toml", 'file = "intents.toml"', 'file = "circle"')
    with pytest.raises(
        ConfigError, match=r"intents.file = 'circle': allowed is a file that exists"
    ):
        load_room(path)


def test_a_file_that_this_user_may_not_look_at_is_named(house, monkeypatch):
    def refused(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", refused)
    with pytest.raises(ConfigError, match=r"policy.file = .* cannot: Permission denied"):
        load_room(house / "room.toml")


def test_a_device_that_is_a_file_beside_the_settings_is_found_there(house):
    (house / "clip.mp4").touch()
    path = change(house / "room.toml", 'device = ""', 'device = "clip.mp4"')
    assert load_room(path).camera.device == str(house / "clip.mp4")


@pytest.mark.parametrize("device", [
    "0", "http://camera.local/stream", "/dev/video9", "http://camera.local/" + "x" * 400,
])  # fmt: skip
def test_other_devices_are_left_as_they_are(house, device):
    path = change(house / "room.toml", 'device = ""', f'device = "{device}"')
    assert load_room(path).camera.device == device


INTENT_MISTAKES = [
    ('"light.*" = 60', '"light.moon" = 60', "settings.light.moon = 60: allowed is only for"),
    ('"light.*" = 60', '"light.main" = 160', "= 160: allowed is a number from 0 to 100"),
    ('"light.*" = 60', '"light.*" = 160', "a number from 0 to 100 for light.main"),
    ('"light.*" = 60', '"lihgt.*" = 60', "settings.lihgt.* = 60: allowed is only for"),
    ('"light.*" = 60', '"vm/*" = "demo-small"', "intent.quiet-video.settings"),
    ('"climate.*" = 900.0', '"climate.*" = -1', "intent.quiet-video.leads.climate.* = -1"),
    ('"climate.*" = 900.0', '"door.*" = 9', "leads.door.* = 9: allowed is only for actuators"),
    ("vm_lead_s = 0.0", "vm_lead_s = 1e9", "intent.quiet-video.vm_lead_s"),
    ('extends = ["default"]', 'extends = ["nothing"]', "extends = ['nothing']: allowed is other"),
    ('extends = ["default"]', 'extends = ["quiet-video"]', "allowed is other declared intents"),
    ("exclusive = []", 'exclusive = ["xyz"]', "exclusive = ['xyz']: allowed is other declared"),
    ("ready_s = 60.0", "ready_s = 301.0", "slo.ready_s = 301.0: allowed is at most 300"),
    ("ready_s = 60.0", "machine_ready_s = 9.0", "allowed is nothing, as the intent names no vm"),
    ("ready_s = 60.0", "redy_s = 60.0", "slo.redy_s: unknown key; did you mean 'ready_s'?"),
    ("light_within = 5.0", "light_within = 0.0", "slo.light_within = 0.0: allowed is float > 0"),
    ('vm = "demo-small"', 'vm = "huge"', "vm = 'huge': allowed is a template of the room"),
    ("lead_s = 300.0", "lead_s = -1.0", "intent.quiet-video.lead_s = -1.0: allowed is float >="),
    ('title = "Quiet meeting with video"', "", "intent.quiet-video.title: is missing"),
    ("description =", "discription =", "discription: unknown key; did you mean 'description'?"),
    ("[intent.default]", "[intent.other]", "is missing"),
    ('tags = ["demo"]', 'tags = ["a demo"]', "tags[1] = 'a demo'"),
]


@pytest.mark.parametrize(("old", "new", "said"), INTENT_MISTAKES)
def test_a_mistake_in_an_intent_is_named(house, old, new, said):
    room = load_room(house / "room.toml")
    path = change(house / "intents.toml", old, new)
    with pytest.raises(ConfigError) as caught:
        load_intents(path, room)
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)


def test_an_intents_file_holds_only_intents_and_one_for_the_untagged(house):
    path = house / "intents.toml"
    path.write_text('[intent.demo]\ntitle = "Demo"\n')
    with pytest.raises(ConfigError, match=r"\[intent.default\] is missing"):
        load_intents(path)
    path.write_text('[intents.demo]\ntitle = "Demo"\n')
    with pytest.raises(ConfigError, match="intents: unknown key; did you mean 'intent'"):
        load_intents(path)
    path.write_text("intent = 3\n")
    with pytest.raises(ConfigError, match="intent = 3"):
        load_intents(path)
