"""cloud.toml: a mistake is an error that says where and what is allowed."""

import socket
import subprocess
import sys
import threading
import tomllib
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from cloud_bridge.assembly import provider_of
from cloud_bridge.cli import main
from cloud_bridge.config import CloudConfig, ConfigError, TemplateSection, load_cloud
from cloud_bridge.doctor import _disk, _screens
from cloud_bridge.vms.base import VmError

SHIPPED = Path(__file__).parents[2] / "config" / "cloud.toml"
MINIMAL = "[templates.small]\n"
OPENSTACK = '[provider]\nuri = "openstack:c"\nclouds = "clouds.yaml"\n'
IN_CLOUD = '[templates.s.openstack]\nimage = "i"\nflavor = "f"\nnetwork = "n"\n'


def load(tmp_path: Path, text: str) -> CloudConfig:
    path = tmp_path / "cloud.toml"
    path.write_text(text)
    return load_cloud(path)


def test_the_shipped_file_is_right_and_names_every_setting() -> None:
    load_cloud(SHIPPED)
    table = tomllib.loads(SHIPPED.read_text())
    for field in msgspec.structs.fields(CloudConfig):
        if field.name == "templates":
            assert set(table["templates"]["demo-small"]) == set(TemplateSection.__struct_fields__)
        elif isinstance(table[field.name], dict):
            assert set(table[field.name]) == set(field.type.__struct_fields__)
    assert set(table) == set(CloudConfig.__struct_fields__)


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    config = load(tmp_path, MINIMAL)
    assert config.store.url == f"sqlite:///{tmp_path}/cloud.db"
    assert config.provider.uri == f"qemu:///embed?root={tmp_path}/machines"
    assert config.templates["small"].kernel == f"{tmp_path}/guest/vmlinux"
    assert config.clones.folder == f"{tmp_path}/clones"
    assert config.clones.memory == "/dev/shm"
    other = '[store]\nurl = "postgresql+psycopg://u@h/d"\n[provider]\nuri = "qemu:///system"\n'
    config = load(tmp_path, other + MINIMAL)
    assert config.store.url == "postgresql+psycopg://u@h/d"
    assert config.provider.uri == "qemu:///system"


def test_openstacks_credentials_are_read_by_their_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "clouds.yaml"
    file.write_text("{}")
    file.chmod(0o640)
    with pytest.raises(ConfigError, match="others can read these credentials"):
        load(tmp_path, OPENSTACK + IN_CLOUD)
    file.chmod(0o600)
    config = load(tmp_path, OPENSTACK + IN_CLOUD)
    assert config.provider.clouds == str(file)
    provider = provider_of(config)
    with pytest.raises(VmError, match="Cloud c was not found"):
        provider.list()
    provider.close()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "at least one"),
        ("surprise = 1\n" + MINIMAL, "surprise"),
        ("[templates.small]\nmemory_mb = 128\n", "did you mean 'memory_mib'"),
        ("[templates.small]\nmemory_mib = 1\n", ">= 64"),
        ("[templates.small]\nlead_s = nan\n", "lead_s"),
        ('[templates.small]\nboard = "i440fx"\n', "i440fx"),
        ('[templates.small]\nkernel = "k"\n', "kernel and initramfs together"),
        ('[templates.small]\nkernel = "k"\ninitramfs = "i"\n', "a file that exists"),
        ('[templates."Big One"]\n', "templates"),
        ('[templates.small]\nprovider = "qemu"\n', "provider"),
        ('[templates.small]\nprovider = "clone"\ngpus = 1\n', "gpus"),
        ('[templates.small]\nprovider = "clone"\negress = ["a.b:1"]\n', "egress"),
        ('[templates.small]\nprovider = "clone"\nready = "serial"\n', "ready"),
        ('[templates.small]\nprovider = "clone"\nboard = "q35"\nscreen = true\n', "screen"),
        ('[templates.small]\negress = "git.example.org:443"\n', "egress"),
        ('[templates.small]\negress = ["git.example.org"]\n', "egress"),
        ('[templates.small]\negress = ["*:443"]\n', "egress"),
        ('[templates.small]\negress = ["x:0"]\n', "egress"),
        ('[templates.small]\negress = ["x:65536"]\n', "egress"),
        ('[templates.small]\negress = ["10.0.0.0/8:80"]\n', "egress"),
        ('[templates.small]\negress = ["x:80,hostfwd=tcp::22-:22"]\n', "egress"),
        ('[templates.small]\negress = ["x y:80"]\n', "egress"),
        ('[templates.small]\negress = ["x:80", "x:80"]\n', "each host:port once"),
        ('[templates.small]\nappend = "rk.token=mine"\n', "rk."),
        ('[templates.small]\nappend = "quiet\\u0000"\n', "append"),
        ('[templates.small]\nappend = "a$(b)"\n', "append"),
        ('[templates.small]\ndisk = "missing.qcow2"\n', "q35"),
        ('[templates.small]\nboard = "q35"\ndisk = "missing.qcow2"\n', "missing.qcow2"),
        ('[templates.small]\nboard = "q35"\ndisk = "d"\nappend = "quiet"\n', "its boot loader"),
        ("[templates.small]\ndisk_gib = 4\n", "nothing without a disk"),
        ("[templates.small]\ndisk_gib = 1000000\n", "disk_gib"),
        ('[templates.small]\nuser_data = "u"\n', "nothing without a disk"),
        ('[templates.small]\nchecksums = { disk = "00" }\n', "checksums"),
        (f'[templates.small]\nchecksums = {{ disk = "{"0" * 64}" }}\n', "disk is not"),
        (f'[templates.small]\nchecksums = {{ user_data = "{"0" * 64}" }}\n', "checksums"),
        ("[templates.small]\nold_days = -1\n", "old_days"),
        ("[templates.small]\nport = 0\n", "port"),
        ("[templates.small]\npriority = 0\n", "priority"),
        ("[templates.small]\npriority = 11\n", "priority"),
        ('[templates.small]\nballoon = "yes"\n', "balloon"),
        ("[templates.small]\nksm = 1\n", "ksm"),
        ('[templates.small]\ngpus = 1\ngpu = "NVIDIA"\n', "gpu"),
        ('[templates.small]\ngpus = 1\ngpu = "0000:65:00.0"\n', "gpu"),
        ('[templates.small]\nboard = "q35"\ngpu = "10de:2204"\n', "1 or more"),
        ('[templates.small]\ngpus = 1\ngpu = "10de:2204"\n', "q35"),
        ('[templates.small]\nready = "ping"\n', "ready"),
        ('[templates.small]\nready_path = "x"\n', "ready_path"),
        ('[templates.small]\nready_path = "/ HTTP/1.1\\r\\nX: y"\n', "ready_path"),
        ('[provider]\nuri = "openstack:c"\n' + MINIMAL, "image, flavor and network"),
        ('[provider]\nuri = "openstack:"\n' + IN_CLOUD, "openstack:NAME"),
        (OPENSTACK + IN_CLOUD + 'surprise = ""\n', "surprise"),
        (OPENSTACK + '[templates.s.openstack]\nimage = "i"\n', "flavor"),
        (OPENSTACK + '[templates.s]\negress = ["x:1"]\n' + IN_CLOUD, "security_groups"),
        (OPENSTACK + '[templates.s]\nready = "serial"\n' + IN_CLOUD, "page, http or tcp"),
        (OPENSTACK + IN_CLOUD, "clouds.yaml: OpenStack's credentials cannot be read"),
        (f"[templates.small]\negress = {[f'h{n}:80' for n in range(17)]}\n", "egress"),
        ("[broker]\nport = 70000\n" + MINIMAL, "65535"),
        ('[broker]\ncert = "c"\n' + MINIMAL, "cert and key together"),
        ('[broker]\nca = "missing.pem"\n' + MINIMAL, "missing.pem"),
        ("[health]\ningest_port = 1\nreconcile_port = 1\n" + MINIMAL, "another port"),
        ('[broker]\nca = "a\\u0000b"\n' + MINIMAL, "broker.ca = 'a\\x00b': allowed is a path"),
        ('guest = "a\\u0000b"\n' + MINIMAL, "guest = 'a\\x00b': allowed is a path"),
        ('[store]\nurl = "\\u0000"\n' + MINIMAL, "store.url"),
        (f'[broker]\nca = "{"x" * 400}"\n' + MINIMAL, "cannot: File name too long"),
        ('name = "../x"\n' + MINIMAL, "name"),
        ("name = \n", "TOML"),
    ],
)
def test_a_mistake_is_refused_with_its_remedy(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, text)
    assert says in str(raised.value)
    assert str(tmp_path) in str(raised.value)


def test_the_commands_tell_a_mistake_without_a_traceback(tmp_path: Path) -> None:
    path = tmp_path / "cloud.toml"
    path.write_text("surprise = 1\n")
    for command in ("check-config", "ingest", "reconcile", "machines", "doctor"):
        done = CliRunner().invoke(main, [command, str(path)])
        assert done.exit_code == 1, command
        assert "surprise" in done.output
        assert "Traceback" not in done.output
    path.write_text(MINIMAL)
    done = CliRunner().invoke(main, ["check-config", str(path)])
    assert (done.exit_code, "small" in done.output) == (0, True)
    done = CliRunner().invoke(main, ["machines", str(path), "--retry", "k"])
    assert done.exit_code == 1
    assert "no attempts" in done.output


@pytest.mark.parametrize("url", ["folder", "postgresql+psycopg://u@127.0.0.1:1/d", "file"])
def test_a_retry_without_its_database_is_told(tmp_path: Path, url: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("no SQLite, but text" * 100)
    path = tmp_path / "cloud.toml"
    path.write_text(f'[store]\nurl = "{url}"\n' + MINIMAL)
    done = CliRunner().invoke(main, ["machines", str(path), "--retry", "k"])
    assert isinstance(done.exception, SystemExit), done.exception
    assert (done.exit_code, done.output.startswith("Error: ")) == (1, True)


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("qemu:///embed?root=file/below", "its root cannot be made"),
        ("qemu:///embed?root=/proc/none", "its root cannot be made"),
        ("qemu:///embed", "needs ?root="),
    ],
)
def test_a_root_that_cannot_be_made_is_told(tmp_path: Path, uri: str, says: str) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "cloud.toml"
    path.write_text(f'[broker]\nport = 1\n[provider]\nuri = "{uri}"\n' + MINIMAL)
    for command in ("machines", "doctor"):
        done = CliRunner().invoke(main, [command, str(path)])
        assert isinstance(done.exception, SystemExit), (command, done.exception)
        assert says in done.output


@pytest.fixture
def unstopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that run until a signal leave this process's signals and its log alone."""
    monkeypatch.setattr("cloud_bridge.cli.stop.install", threading.Event)
    monkeypatch.setattr("cloud_bridge.cli.logs.setup", lambda *_: None)


@pytest.mark.usefixtures("unstopped")
def test_a_reconciler_that_cannot_begin_says_why(tmp_path: Path) -> None:
    path = tmp_path / "cloud.toml"
    path.write_text('[broker]\nport = 1\n[provider]\nuri = "qemu:///embed"\n' + MINIMAL)
    done = CliRunner().invoke(main, ["reconcile", str(path)])
    assert isinstance(done.exception, SystemExit), done.exception
    assert "needs ?root=" in done.output
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        path.write_text(f"[broker]\nport = 1\n[health]\ningest_port = {port}\n" + MINIMAL)
        done = CliRunner().invoke(main, ["ingest", str(path)])
    assert isinstance(done.exception, SystemExit), done.exception
    assert f"127.0.0.1:{port}: Address already in use" in done.output


@pytest.mark.parametrize("port", ["99999999", "-1"])
def test_a_port_that_does_not_exist_is_refused(tmp_path: Path, port: str) -> None:
    done = CliRunner().invoke(main, ["reconcile", str(tmp_path), "--health-port", port])
    assert done.exit_code == 2
    done = CliRunner().invoke(main, ["reconcile", str(SHIPPED), "--health-port", port])
    assert (done.exit_code, "'--health-port'" in done.output) == (2, True)


@pytest.mark.slow
def test_the_doctor_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "cloud.toml"
    path.write_text("[broker]\nport = 1\n" + MINIMAL)
    # In a process of its own: one that opened an embedded libvirt cannot reach a daemon any more.
    done = subprocess.run(
        [str(Path(sys.executable).parent / "roomkeeper-cloud"), "doctor", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "FAIL broker" in done.stdout
    assert "run: roomkeeper-cloud image" in done.stdout
    assert "ok   libvirt" in done.stdout


@pytest.mark.parametrize(
    ("screen", "novnc", "well", "says"),
    [
        (False, "", True, "no template has one"),
        (True, "", False, "small: the door has no noVNC"),
        (True, "empty", False, "no noVNC in"),
        (True, "there", True, "there"),
    ],
)
def test_the_doctor_misses_what_shows_screens(
    tmp_path: Path, screen: bool, novnc: str, well: bool, says: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "there" / "core").mkdir(parents=True)
    (tmp_path / "there" / "core" / "rfb.js").touch()
    path = tmp_path / "cloud.toml"
    board = 'board = "q35"\nscreen = true\n' if screen else ""
    path.write_text(MINIMAL + board + (f'[door]\nnovnc = "{novnc}"\n' if novnc else ""))
    finding = _screens(load_cloud(path))
    assert (finding.well, says in finding.detail) == (well, True)


@pytest.mark.parametrize("guest", ["no/folder/yet", "/" + "x" * 300, "/" + "x/" * 80 + "y" * 300])
def test_the_doctor_looks_at_the_disk_of_what_is_still_to_be_made(
    tmp_path: Path, guest: str
) -> None:
    path = tmp_path / "cloud.toml"
    path.write_text(f'guest = "{guest}"\n{MINIMAL}')
    assert _disk(load_cloud(path)).detail.endswith(" MiB free")
