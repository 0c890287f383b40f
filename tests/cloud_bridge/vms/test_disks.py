"""Images are checked before they are used and never written; what cloud-init is told is bounded."""

import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest

from cloud_bridge.types import Create, Template
from cloud_bridge.vms.base import VmError, VmRefusedError
from cloud_bridge.vms.disks import Checksums, format_of, overlay
from cloud_bridge.vms.files import Files
from cloud_bridge.vms.image import Image
from cloud_bridge.vms.making import Maker
from cloud_bridge.vms.seed import SECTOR, TEXT_MAX, USER_DATA_MAX, seed
from tests.cloud_bridge.service import new_key

KEY = "0b0f3c1e-0000-4000-8000-000000000001"


def spec(title: str = "Title", key: str = KEY) -> Create:
    return Create(key, "demo@x", ("aurora", "b c"), Template("small", 128), 2e9, title)


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_with_another_checksum_is_refused_until_it_is_the_right_one(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(b"right")
    wanted, checksums = {"disk": sha(disk)}, Checksums()
    checksums.check("t", {"disk": disk}, wanted)
    disk.write_bytes(b"wrong")
    with pytest.raises(VmRefusedError, match=r"SHA-256 \w{64}, wanted \w{64}; put the right file"):
        checksums.check("t", {"disk": disk}, wanted)
    disk.write_bytes(b"right")
    checksums.check("t", {"disk": disk}, wanted)
    disk.unlink()
    with pytest.raises(VmRefusedError, match="cannot read"):
        checksums.check("t", {"disk": disk}, wanted)
    with pytest.raises(VmRefusedError, match="and no disk"):
        checksums.check("t", {}, wanted)


def test_a_file_that_did_not_change_is_read_once(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(b"x" * 4096)
    wanted, checksums = {"disk": sha(disk)}, Checksums()
    checksums.check("t", {"disk": disk}, wanted)
    before = disk.stat()
    # As large, with the same times: only a file that was not read again passes for another.
    stamp = checksums._known[disk]
    checksums._known[disk] = stamp[0], "0" * 64
    with pytest.raises(VmRefusedError):
        checksums.check("t", {"disk": disk}, wanted)
    os.utime(disk, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    checksums.check("t", {"disk": disk}, wanted)


def test_an_overlay_stands_on_its_base_and_leaves_it_alone(tmp_path: Path) -> None:
    raw, nested = tmp_path / "raw", tmp_path / "a,b c.qcow2"
    raw.write_bytes(b"\x5a" * (1 << 20))
    before = sha(raw)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", nested, "3M"], check=True)
    assert (format_of(raw), format_of(nested)) == ("raw", "qcow2")
    for base, size, gib in ((raw, 1 << 20, 0), (nested, 3 << 20, 0), (raw, 1 << 30, 1)):
        folder = tmp_path / f"{base.name}{gib}"
        folder.mkdir()
        made = overlay(base, folder, gib)
        told = json.loads(
            subprocess.run(
                ["qemu-img", "info", "--output=json", made], capture_output=True, check=True
            ).stdout
        )
        assert (told["virtual-size"], told["backing-filename"]) == (size, str(base))
    assert sha(raw) == before
    with pytest.raises(VmError, match="no overlay of"):
        overlay(raw, tmp_path / "missing", 0)


def test_a_machine_that_cannot_be_made_leaves_no_folder(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(b"x" * 4096)
    long = tmp_path / "user-data"
    long.write_bytes(b"x" * (USER_DATA_MAX + 1))
    files = Files(tmp_path / "f")
    maker = Maker(files)
    image = Image(disk, disk, disk=disk, user_data=long)
    with pytest.raises(VmError, match="longer than"):
        maker.make(spec(), "0123456789", 1, image)
    assert list(files.root.glob("*/*")) == []
    with pytest.raises(VmRefusedError, match="is missing"):
        maker.check("t", Image(tmp_path / "none", disk))


@pytest.mark.parametrize("title", ['"}\n- x: [', "\u2028ä\0\x1b", "x" * 100_000, "{{ 7 * 7 }}", ""])
def test_a_title_stays_a_text_however_it_is_written(title: str) -> None:
    data = seed(spec(title), KEY, "token", None)
    assert data == seed(spec(title), KEY, "token", None)
    assert len(data) % SECTOR == 0
    start = data.index(b'{\n "instance-id"')
    meta, _ = json.JSONDecoder().raw_decode(data[start:].decode())
    assert meta["instance-id"] == KEY
    assert meta["roomkeeper"] == {
        "key": KEY,
        "meeting": "demo@x",
        "room": "aurora",
        "rooms": ["aurora", "b c"],
        "title": title[:TEXT_MAX],
        "token": "token",
    }


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("a: {{ ds.meta_data.roomkeeper.title | tojson }}", True),
        ("a: {{ [ds.meta_data.roomkeeper.key, 'x'] | join(' ') | tojson }}", True),
        ("a: {{ v1.local_hostname }}", True),
        ('a: "{{ ds.meta_data.roomkeeper.title }}"', False),
        (
            "a: {{ roomkeeper.title | tojson }}\nb: {{ ds.meta_data.roomkeeper.room }}",
            False,
        ),
        ("a: {{ ds.meta_data\n.roomkeeper.title | upper }}", False),
    ],
)
def test_a_file_that_lets_a_title_add_commands_is_refused(
    tmp_path: Path, text: str, fine: bool
) -> None:
    file = tmp_path / "user-data"
    file.write_text(f"## template: jinja\n#cloud-config\n{text}\n")
    if fine:
        assert text.encode() in seed(spec(), KEY, "token", file)
    else:
        with pytest.raises(OSError, match="lets a title add commands"):
            seed(spec(), KEY, "token", file)


def test_the_key_of_a_machine_is_no_path(tmp_path: Path) -> None:
    files = Files(tmp_path)
    for key in ("../x", "", "/etc", new_key() + "/.."):
        with pytest.raises(VmRefusedError, match="no UUID"):
            files.folder(key, "0123456789")
        with pytest.raises(VmRefusedError, match="no UUID"):
            files.remove(key)
