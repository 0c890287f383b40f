"""The services' databases: schemas, made once and kept, and what is in them from the start."""

import grp
import hashlib
import os
import pwd
from collections.abc import Mapping
from pathlib import Path

from tests.world.openstack.base import dump, tell
from tests.world.openstack.parts import Parts
from tests.world.openstack.settings import REGION, Settings

ROOT = Path(__file__).parents[3]
LOCK = ROOT / "lock" / "nova.txt"
KEPT = ROOT / "build" / "peers" / "nova-schemas"


class Schemas:
    """Runs the services' own management commands with `env`."""

    def __init__(self, parts: Parts, settings: Settings, env: Mapping[str, str]) -> None:
        self._parts = parts
        self._settings = settings
        self._env = env

    def make(self) -> None:
        """Make the schemas, or take those of the last time with the same versions."""
        version = hashlib.sha256(LOCK.read_bytes() + Path(__file__).read_bytes()).hexdigest()[:16]
        kept = KEPT / f"{version}.sql"
        if kept.exists():
            # The cells know of the other stack's ports.
            again = b"\nDELETE FROM nova_api.cell_mappings;\n"
            tell(self._settings, kept.read_bytes() + again)
        else:
            self._migrate()
            KEPT.mkdir(parents=True, exist_ok=True)
            fresh = kept.with_suffix(f".{os.getpid()}")
            fresh.write_bytes(dump(self._settings))
            fresh.replace(kept)
            tell(self._settings, b"DELETE FROM nova_api.cell_mappings;")
        self._begin()

    def _migrate(self) -> None:
        self._run("keystone-manage", "keystone", "db_sync")
        self._run("placement-manage", "placement", "db", "sync")
        self._run("glance-manage", "glance-api", "db_sync")
        self._run("neutron-db-manage", "neutron", "upgrade", "heads")
        self._run("nova-manage", "nova", "api_db", "sync")
        self._first_cell()
        self._run("nova-manage", "nova", "db", "sync")

    def _first_cell(self) -> None:
        cell0 = ("--database_connection", self._settings.database("nova_cell0"))
        self._run("nova-manage", "nova", "cell_v2", "map_cell0", *cell0)

    def _begin(self) -> None:
        """Write keys, the administrator, the identity service and the cells."""
        url, password = self._settings.url("keystone"), self._settings.password
        user, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
        owner = ("--keystone-user", user, "--keystone-group", group)
        for kind in ("fernet_setup", "credential_setup"):
            self._run("keystone-manage", "keystone", kind, *owner)
        words = ["bootstrap", "--bootstrap-region-id", REGION]
        for door in ("public", "internal", "admin"):
            words += [f"--bootstrap-{door}-url", url]
        self._run("keystone-manage", "keystone", *words, OS_BOOTSTRAP_PASSWORD=password)
        self._first_cell()
        self._run("nova-manage", "nova", "cell_v2", "create_cell", "--name", "cell1")

    def _run(self, name: str, config: str, *words: str, **env: str) -> None:
        file = self._settings.folder / "etc" / f"{config}.conf"
        line = [str(self._settings.venv / "bin" / name), "--config-file", str(file), *words]
        self._parts.run("schemas", line, **self._env, **env)
