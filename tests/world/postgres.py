"""A real PostgreSQL on a free loopback port: its own cluster in its own folder, gone afterwards."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from tests.world.mosquitto import free_port
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


class Postgres:
    """A server with the empty database `roomkeeper`; `url` is SQLAlchemy's."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"postgresql+psycopg://{USER}@127.0.0.1:{self.port}/{USER}"
        self._folder = Path(tempfile.mkdtemp(prefix="roomkeeper-postgres-"))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Make the cluster at the first start; return once it answers."""
        data = self._folder / "data"
        if os.getuid() == 0:
            shutil.chown(self._folder, "postgres", "postgres")
        if not data.exists():
            line = [program("initdb"), "--auth=trust", f"--username={USER}", "--no-sync"]
            line += ["--encoding=UTF8", "--locale=C", str(data)]
            made = [*_as_nobody_special(), *line]
            subprocess.run(made, check=True, capture_output=True, cwd=self._folder)
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self._folder),
        }
        words = [word for pair in settings.items() for word in ("-c", "{}={}".format(*pair))]
        line = [program("postgres"), "-D", str(data), *words]
        with (self._folder.parent / f"{self._folder.name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*_as_nobody_special(), *DIE_WITH_PARENT, *line],
                stdout=log,
                stderr=log,
                cwd=self._folder,
            )
        self._answers()
        return self

    def _answers(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                address = f"postgresql://{USER}@127.0.0.1:{self.port}"
                with psycopg.connect(f"{address}/postgres", autocommit=True) as connection:
                    found = connection.execute(
                        "SELECT 1 FROM pg_database WHERE datname = %s", (USER,)
                    )
                    if found.fetchone() is None:
                        connection.execute(f"CREATE DATABASE {USER}")
                return
            except psycopg.OperationalError:
                assert self._process is not None
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def empty(self) -> None:
        """Forget every table."""
        with psycopg.connect(self.url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")

    def stop(self) -> None:
        """End at once, as an operator in a hurry does."""
        if self._process is not None:
            self._process.send_signal(3)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)
            self._process = None

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)
        (self._folder.parent / f"{self._folder.name}.log").unlink(missing_ok=True)
