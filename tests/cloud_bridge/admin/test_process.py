"""The admin page as the process that it is."""

import re
import urllib.request
from pathlib import Path

from click.testing import CliRunner

from cloud_bridge.cli import main
from tests.cloud_bridge.service import ROOT, Running, write_config
from tests.world.mosquitto import free_port
from tests.world.office import health
from tests.world.waiting import until


def test_it_prints_its_password_once_serves_and_ends_cleanly(tmp_path: Path) -> None:
    config = write_config(tmp_path, free_port(), "qemu:///embed?root=machines")
    port, admin_health = free_port(), free_port()
    section = f'[admin]\nport = {port}\ntheme = "{ROOT}/config/theme"\n'
    text = config.read_text().replace("[health]\n", f"[health]\nadmin_port = {admin_health}\n")
    config.write_text(text + section)
    with Running("admin", config) as process:
        until(lambda: _well(admin_health), what="the page is well", seconds=20)
        page = urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5)
        assert page.url.endswith("/login")
        assert process.terminate(4) == 0
    told = re.findall(r"one-time password ((?:\w{4}-){3}\w{4})", process.log.read_text())
    assert len(told) == 1
    with Running("admin", config) as process:
        until(lambda: _well(admin_health), what="the page is well again", seconds=20)
        assert process.terminate(4) == 0
    assert process.log.read_text().count("one-time password") == 1
    again = CliRunner().invoke(main, ["admin-password", str(config)])
    assert re.fullmatch(r"(?:\w{4}-){3}\w{4}\n", again.output)
    assert told[0] not in again.output


def _well(port: int) -> bool:
    try:
        return health(port) == 200
    except OSError:
        return False
