"""What the services stand on: MariaDB and RabbitMQ, with all their state in the stack's folder."""

import os
import socket
import subprocess

from tests.world.openstack.parts import Parts, program
from tests.world.openstack.settings import DATABASES, Settings

# Debian's own wrapper would change to another user and to the system's folders.
RABBIT = "/usr/lib/rabbitmq/bin/rabbitmq-server"


def answers(port: int) -> bool:
    """Return whether somebody listens on a port of the loopback."""
    with socket.socket() as sock:
        sock.settimeout(1)
        return sock.connect_ex(("127.0.0.1", port)) == 0


def start_mariadb(parts: Parts, settings: Settings) -> None:
    """Start a MariaDB with an empty database for each service."""
    data, door = settings.folder / "mysql", settings.folder / "mysql.sock"
    user = ["--user=root"] if os.getuid() == 0 else []
    # What is never read again need not reach the disk.
    careless = [
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-doublewrite=0",
        "--innodb-flush-method=nosync",
        "--skip-log-bin",
        "--performance-schema=0",
    ]
    make = [program("mariadb-install-db"), "--no-defaults", f"--datadir={data}", *user]
    parts.run(
        "mariadb-install",
        [*make, "--auth-root-authentication-method=normal", "--skip-test-db"],
    )
    line = [program("mariadbd"), "--no-defaults", f"--datadir={data}", f"--socket={door}", *user]
    line += ["--bind-address=127.0.0.1", f"--port={settings.ports['mysql']}", *careless]
    line += ["--max-connections=400", f"--pid-file={settings.folder / 'mysql.pid'}"]
    parts.start("mariadb", [*line, "--character-set-server=utf8mb3"])
    parts.wait("mariadb", lambda: answers(settings.ports["mysql"]))
    words = [f"CREATE DATABASE {name}" for name in DATABASES]
    words += [
        f"CREATE USER openstack@'{host}' IDENTIFIED BY '{settings.password}';"
        f"GRANT ALL ON *.* TO openstack@'{host}'"
        for host in ("127.0.0.1", "localhost")
    ]
    tell(settings, ";".join(words).encode())


def tell(settings: Settings, words: bytes, name: str = "mariadb", *more: str) -> bytes:
    """Run one of MariaDB's clients as its root, with `words` as its input; return its output."""
    door = settings.folder / "mysql.sock"
    client = [program(name), "--no-defaults", f"--socket={door}", "--user=root", *more]
    done = subprocess.run(client, input=words, check=True, capture_output=True, timeout=300)
    return done.stdout


def dump(settings: Settings) -> bytes:
    """Return all databases as what makes them again."""
    return tell(settings, b"", "mariadb-dump", "--databases", *DATABASES)


def start_rabbitmq(parts: Parts, settings: Settings) -> None:
    """Start a RabbitMQ, and the port mapper that it would otherwise leave behind."""
    state = settings.folder / "rabbit"
    state.mkdir()
    epmd = str(settings.ports["epmd"])
    parts.start("epmd", [program("epmd"), "-port", epmd, "-address", "127.0.0.1"])
    parts.wait("epmd", lambda: answers(settings.ports["epmd"]))
    (state / "enabled_plugins").write_text("[].")
    parts.start(
        "rabbitmq",
        [program(RABBIT)],
        ERL_EPMD_PORT=epmd,
        RABBITMQ_NODENAME=f"stack{epmd}@localhost",
        RABBITMQ_NODE_IP_ADDRESS="127.0.0.1",
        RABBITMQ_NODE_PORT=str(settings.ports["amqp"]),
        RABBITMQ_DIST_PORT=str(settings.ports["dist"]),
        RABBITMQ_MNESIA_BASE=str(state / "mnesia"),
        RABBITMQ_LOG_BASE=str(state),
        RABBITMQ_LOGS="-",
        RABBITMQ_PID_FILE=str(state / "pid"),
        RABBITMQ_CONFIG_FILE=str(state / "none"),
        RABBITMQ_ENABLED_PLUGINS_FILE=str(state / "enabled_plugins"),
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+S 2:2 +sbwt none",
    )
    parts.wait("rabbitmq", lambda: answers(settings.ports["amqp"]))
