"""Bring an OpenStack up in a folder of its own and take all of it down again.

`python -m tests.world.openstack.stack` runs one until Enter or a signal, and says how to use it.
"""

import contextlib
import http.client
import secrets
import shutil
import signal
import tempfile
import time
import uuid
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.world.libvirtd import end
from tests.world.openstack.base import start_mariadb, start_rabbitmq
from tests.world.openstack.contents import Contents, fill
from tests.world.openstack.parts import Parts
from tests.world.openstack.schemas import Schemas
from tests.world.openstack.settings import Settings

ROOT = Path(__file__).parents[3]
VENV = ROOT / "build" / "peers" / "nova"
WEB = {
    "keystone": "keystone.wsgi.api",
    "placement": "placement.wsgi.api",
    "glance": "glance.wsgi.api",
    "neutron": "neutron.wsgi.api",
    "nova": "nova.wsgi.osapi_compute",
}
DAEMONS = ("conductor", "scheduler", "compute")


def missing() -> str:
    """Return what keeps a stack from being started here, "" when nothing does."""
    wanted = {
        "rabbitmq-server": "/usr/lib/rabbitmq/bin/rabbitmq-server",
        "nova": VENV / "bin/nova-compute",
    }
    lacking = [name for name, file in wanted.items() if not Path(str(file)).is_file()]
    if shutil.which("mariadbd") is None and not Path("/usr/sbin/mariadbd").is_file():
        lacking.append("mariadb-server")
    return ", ".join(lacking)


class Stack:
    """The services, one compute host without a hypervisor, and a project `meetings` in it.

    clouds: a clouds.yaml with the clouds `meetings` (a member of the project) and `admin`.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="roomkeeper-openstack-"))
        self.settings = Settings(self.folder, VENV, secrets.token_hex(12))
        self.clouds = self.folder / "clouds.yaml"
        self.took: dict[str, float] = {}
        self._host_id = str(uuid.uuid4())
        self._parts = Parts(self.folder)
        self._contents: Contents | None = None

    @property
    def admin(self) -> Any:
        """The administrator's connection."""
        return self._filled.admin

    @property
    def keeper(self) -> Any:
        """The connection of the project's member."""
        return self._filled.keeper

    @property
    def project(self) -> str:
        """The id of the project `meetings`."""
        return self._filled.project

    @property
    def _filled(self) -> Contents:
        assert self._contents is not None
        return self._contents

    def start(self) -> Self:
        """Return once a server can be made."""
        lacking = missing()
        if lacking:
            raise RuntimeError(f"no {lacking}: run tests/world/bootstrap.sh nova")
        began = time.monotonic()
        self.settings.write()
        for folder in ("images/staging", "images/tasks", "nova/lock", "nova/instances"):
            (self.folder / folder).mkdir(parents=True)
        (self.folder / "neutron/lock").mkdir(parents=True)
        # A host's identity lies beside it: nova-compute does not start a second time without.
        (self.folder / "nova/compute_id").write_text(self._host_id)
        start_mariadb(self._parts, self.settings)
        start_rabbitmq(self._parts, self.settings)
        self.took["base"] = time.monotonic() - began
        Schemas(self._parts, self.settings, self._env()).make()
        self.took["schemas"] = time.monotonic() - began
        self.start_web("keystone")
        self._contents = fill(self.settings, self.clouds, self._others)
        self.took["up"] = time.monotonic() - began
        return self

    def start_web(self, *names: str) -> None:
        """Start web services together and wait until each answers."""
        script = str(Path(__file__).with_name("serve.py"))
        for name in names:
            line = [str(VENV / "bin/python"), script, name, str(self.settings.ports[name])]
            self._parts.start(name, [*line, WEB[name]], **self._env())
        for name in names:
            self._parts.wait(name, partial(_speaks, self.settings.ports[name]))

    def start_daemon(self, name: str) -> None:
        """Start Nova's conductor, scheduler or compute."""
        line = [str(VENV / f"bin/nova-{name}")]
        if name == "compute":
            script = str(Path(__file__).with_name("compute.py"))
            line = [str(VENV / "bin/python"), script, self._host_id]
        self._parts.start(name, [*line, "--config-file", str(self._etc("nova"))], **self._env())

    def host_is_up(self) -> bool:
        """Whether Nova believes that its compute host lives: servers are placed there then."""
        found = self.admin.compute.services(binary="nova-compute")
        return any(each.state == "up" for each in found)

    def kill(self, name: str) -> None:
        """Kill -9 one of the services."""
        self._parts.kill(name)

    def _others(self) -> None:
        self.start_web(*(name for name in WEB if name != "keystone"))
        for name in DAEMONS:
            self.start_daemon(name)

    def _etc(self, name: str) -> Path:
        return self.folder / "etc" / f"{name}.conf"

    def _env(self) -> dict[str, str]:
        names = {"KEYSTONE": "keystone", "GLANCE": "glance-api", "NEUTRON": "neutron"}
        env = {f"OS_{part}_CONFIG_FILES": f"{file}.conf" for part, file in names.items()}
        parts = (*names, "PLACEMENT", "NOVA")
        env |= {f"OS_{part}_CONFIG_DIR": str(self.folder / "etc") for part in parts}
        return {**env, "PATH": f"{VENV / 'bin'}:{self._parts.env['PATH']}"}

    def stop(self) -> None:
        """End everything and remove the folder."""
        for name in self._parts.names():
            with contextlib.suppress(OSError):
                # Its state is thrown away with it: nothing is worth a wait.
                self._parts.kill(name)
        end(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)

    def last_words(self) -> str:
        """Return the end of what each service said."""
        names = sorted(file.name for file in (self.folder / "log").iterdir())
        return "\n".join(f"== {name}\n{self._parts.last_words(name)[-1500:]}" for name in names)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def _speaks(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def main() -> None:
    """Run a stack until Enter."""
    # A signal ends it as Enter does: nothing is left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with Stack() as stack:
        for name, seconds in stack.took.items():
            print(f"{name}: {seconds:.1f} s")
        print(f"clouds.yaml: {stack.clouds} (clouds meetings, admin); logs: {stack.folder}/log")
        with contextlib.suppress(EOFError, KeyboardInterrupt):
            input("Enter ends it: ")


if __name__ == "__main__":
    main()
