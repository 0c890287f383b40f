"""The small guest's files: the same bytes each time, made of what is installed."""

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cloud_bridge.vms import guest
from cloud_bridge.vms.guest import cpio
from cloud_bridge.vms.guest.build import build, initramfs
from cloud_bridge.vms.guest.kernel import KernelError, find, unpack
from cloud_bridge.vms.guest.lz4 import Lz4Error, decompress


def legacy_frame(block: bytes) -> bytes:
    return b"\x02\x21\x4c\x18" + len(block).to_bytes(4, "little") + block


def test_lz4_copies_literals_and_repeats() -> None:
    # 3 literals, then 9 bytes from 3 back; 15 + 5 literals at the end.
    block = b"\x35abc\x03\x00" + b"\xf0\x05" + b"x" * 20
    assert decompress(legacy_frame(block)) == b"abc" + b"abcabcabc" + b"x" * 20


def test_lz4_agrees_with_the_reference_tool() -> None:
    if shutil.which("lz4") is None:
        pytest.skip("needs the lz4 tool")
    data = Path(sys.executable).resolve().read_bytes()
    packed = subprocess.run(["lz4", "-l", "-9", "-c"], input=data, capture_output=True, check=True)
    # The kernel's build appends the length.
    assert decompress(packed.stdout + len(data).to_bytes(4, "little")) == data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no frame at all",
        legacy_frame(b"\x35abc\x09\x00"),
        legacy_frame(b"\x35abc\x00\x00"),
        legacy_frame(b"\x35abc\x03"),
        b"\x02\x21\x4c\x18\xff\xff\xff\x7fabc",
        b"\x02\x21\x4c\x18\x00\x00\x00\x00abcde",
    ],
)
def test_lz4_that_is_broken_is_an_error(data: bytes) -> None:
    with pytest.raises(Lz4Error):
        decompress(data)


def test_a_kernel_without_header_or_at_all_is_an_error_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(KernelError, match="boot header"):
        unpack(b"\0" * 2048)
    with pytest.raises(KernelError, match="install"):
        find(tmp_path, tmp_path)


def test_the_newest_cloud_kernel_is_taken(tmp_path: Path) -> None:
    for release in ("6.1.0-9-cloud-amd64", "6.1.0-10-cloud-amd64", "6.9.0-1-amd64"):
        (tmp_path / f"vmlinuz-{release}").touch()
        (tmp_path / release).mkdir()
        (tmp_path / release / "modules.dep").touch()
    (tmp_path / "vmlinuz-7.0-cloud-amd64").touch()  # its modules are gone
    assert find(tmp_path, tmp_path).release == "6.1.0-10-cloud-amd64"


def test_an_archive_is_read_by_cpio_and_the_same_each_time(tmp_path: Path) -> None:
    entries = [
        cpio.directory("etc"),
        cpio.regular("etc/a", b"hello", 0o755),
        cpio.symlink("etc/b", "a"),
    ]
    data = cpio.archive(entries)
    assert data == cpio.archive(entries)
    if shutil.which("cpio") is None:
        pytest.skip("needs the cpio tool")
    subprocess.run(["cpio", "-i", "--quiet"], input=data, cwd=tmp_path, check=True)
    assert (tmp_path / "etc" / "b").read_bytes() == b"hello"
    assert (tmp_path / "etc" / "a").stat().st_mode & 0o777 == 0o755


def test_building_twice_changes_nothing_and_damage_is_mended(guest: Path, tmp_path: Path) -> None:
    copy = tmp_path / "guest"
    shutil.copytree(guest, copy)
    before = {path.name: path.stat().st_mtime_ns for path in copy.iterdir()}
    build(copy)
    assert {path.name: path.stat().st_mtime_ns for path in copy.iterdir()} == before
    whole = (copy / "initramfs").read_bytes()
    (copy / "initramfs").write_bytes(whole[:1000])
    build(copy)
    assert (copy / "initramfs").read_bytes() == whole
    assert whole == initramfs(find(), Path("/bin/busybox"))
    assert json.loads((copy / "manifest.json").read_text())["kernel"] == find().release


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("", ""),
        ("Plans%20%26%20%3Cb%3Efun%3C%2Fb%3E", "<p>Plans &#38; &#60;b&#62;fun&#60;/b&#62;</p>"),
        ("caf%C3%A9%2", "<p>café%2</p>"),
        ("%zz%%41%4", "<p>%zz%A%4</p>"),
        ("%22%27" * 2000, "<p>" + "&#34;&#39;" * 100),
    ],
)
def test_the_page_shows_a_title_as_text(tmp_path: Path, title: str, shown: str) -> None:
    if os.getuid() != 0 or platform.machine() != "x86_64":
        pytest.skip("needs root and an amd64 processor, to run the guest's agent in a folder")
    (tmp_path / "www").mkdir()
    shutil.copy(guest.__path__[0] + "/agent", tmp_path)
    words = ["/agent", "page", "KEY", "TOKEN", "aurora", "demo%40x", title]
    subprocess.run(["chroot", str(tmp_path), *words], check=True)
    page = (tmp_path / "www" / "index.html").read_text()
    assert f"<h1>Machine of room aurora</h1>{shown}" in page
    assert page.endswith("<p>Meeting <code>demo%40x</code></p><p>Key <code>KEY</code></p></html>\n")
    assert (tmp_path / "www" / "ready").read_text() == "KEY TOKEN\n"
    assert sorted(each.name for each in (tmp_path / "www").iterdir()) == ["index.html", "ready"]
