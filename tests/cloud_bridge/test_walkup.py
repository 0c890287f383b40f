"""A template that is copied, through broker, store and reconciler: begun, found again, ended."""

import time
from pathlib import Path

import pytest

from edge.contracts.wire import WantedMachine
from tests.cloud_bridge.service import Asker, Running, new_key, write_config
from tests.cloud_bridge.vms.case import processes
from tests.cloud_bridge.vms.case_clones import folders
from tests.world.mosquitto import Mosquitto
from tests.world.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_copy_is_begun_found_again_after_a_kill_and_ended(
    tmp_path: Path, broker: Mosquitto, guest: Path
) -> None:
    with folders() as (folder, memory):
        config = write_config(tmp_path, broker.port, f"qemu:///embed?root={folder}/libvirt")
        small = '[templates.small]\nprovider = "clone"'
        text = config.read_text().replace("[templates.small]", small)
        where = f'[clones]\nfolder = "{folder}/c"\nmemory = "{memory}"\n'
        config.write_text(text.replace("boot_s = 60.0", "boot_s = 300.0") + where)
        key, now = new_key(), time.time()
        with Running("ingest", config), Asker(broker.broker) as room:
            until(lambda: room.link.connected)
            with Running("reconcile", config) as reconciler:
                # Built before anybody asks.
                until(lambda: list(memory.glob("*/*/state")), 300, "a template")
                room.want(WantedMachine(key, "m", "small", now + 5, now + 600))
                until(lambda: room.phase(key) == "ready", 120, "ready")
                (pid,) = processes(key)
                reconciler.kill()
                reconciler.start()
                # What the new one ends it has found again: nobody else knows of the process.
                assert processes(key) == [pid]
                room.want()
                until(lambda: room.phase(key) == "gone", 120, "gone")
                assert not processes(key)
