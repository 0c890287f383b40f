"""A real PostgreSQL on a free loopback port: its own cluster in its own folder, gone afterwards."""

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Self

import psycopg

from tests.world.mosquitto import free_port
from tests.world.server import Server
from tests.world.supervisor import DIE_WITH_PARENT

USER = "roomkeeper"


def program(name: str) -> str:
    """Return where one of PostgreSQL's programs is; Debian keeps them off the path."""
    found = shutil.which(name)
    if found:
        return found
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if not versions:
        raise RuntimeError("no PostgreSQL: install Debian's postgresql")
    return str(versions[-1])


def _as_nobody_special() -> list[str]:
    """PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return []
    return ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups", "--"]


class Postgres(Server):
    """A server with the empty database `roomkeeper`; `url` is SQLAlchemy's."""

    name = "PostgreSQL"

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()
        self.url = f"postgresql+psycopg://{USER}@127.0.0.1:{self.port}/{USER}"

    def start(self) -> Self:
        """Make the cluster at the first start; return once it answers."""
        data = self.folder / "data"
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        if not data.exists():
            line = [program("initdb"), "--auth=trust", f"--username={USER}", "--no-sync"]
            line += ["--encoding=UTF8", "--locale=C", str(data)]
            made = [*_as_nobody_special(), *line]
            subprocess.run(made, check=True, capture_output=True, cwd=self.folder)
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
        }
        words = [word for pair in settings.items() for word in ("-c", "{}={}".format(*pair))]
        line = [program("postgres"), "-D", str(data), *words]
        self._launch([*_as_nobody_special(), *DIE_WITH_PARENT, *line], self._answers, 60)
        return self

    def _answers(self) -> bool:
        try:
            address = f"postgresql://{USER}@127.0.0.1:{self.port}/postgres"
            with psycopg.connect(address, autocommit=True) as connection:
                found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (USER,))
                if found.fetchone() is None:
                    connection.execute(f"CREATE DATABASE {USER}")
            return True
        except psycopg.OperationalError:
            return False

    def empty(self) -> None:
        """Forget every table."""
        with psycopg.connect(self.url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")

    def _ask_to_end(self, process: subprocess.Popen[bytes]) -> None:
        # At once, as an operator in a hurry does.
        process.send_signal(signal.SIGQUIT)
