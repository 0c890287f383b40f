"""The doors to one project of an OpenStack: each call bounded, each answer checked and typed."""

import threading
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import openstack.config
import openstack.connection
import structlog
from keystoneauth1.exceptions import ClientException, Unauthorized
from msgspec import Struct, field
from openstack.exceptions import SDKException

from cloud_bridge.vms.base import VmError, VmFullError, VmRefusedError

log = structlog.get_logger()

MICROVERSION = "2.69"
"""Stein, 2019: before it, lists leave out servers whose part of the cloud is away."""
TIMEOUT_S = 20.0
ANSWER_LIMIT = 32 * 2**20
PAGE, PAGES = 500, 20
FULL = ("quota exceeded", "over limit", "maximum number of", "no valid host")
"""How Nova, its limits, Neutron and the scheduler say that there is no room."""

Answer = TypeVar("Answer")


class Flavor(Struct, frozen=True):
    """How large a server is. ram: MiB."""

    ram: int = 0
    vcpus: int = 0


class Fault(Struct, frozen=True):
    """Why a server is in the state ERROR."""

    message: str = ""


class Address(Struct, frozen=True):
    """One address of a server; kind: fixed or floating."""

    addr: str
    version: int = 4
    kind: str = field(default="fixed", name="OS-EXT-IPS:type")


class Server(Struct, frozen=True):
    """A server as Nova tells of it; created: ISO 8601, by Nova's clock, to the second."""

    id: str
    status: str
    name: str = ""
    created: str = ""
    metadata: dict[str, str] | None = None
    addresses: dict[str, list[Address]] = field(default_factory=dict)
    flavor: Flavor = Flavor()
    fault: Fault = Fault()
    task: str | None = field(default=None, name="OS-EXT-STS:task_state")

    @property
    def leaving(self) -> bool:
        """Whether its end was asked for: it may still be said to be ACTIVE."""
        return self.task in ("deleting", "soft-deleting") or self.status in (
            "DELETED",
            "SOFT_DELETED",
        )


class Absolute(Struct, frozen=True):
    """The project's quota and what is used of it; -1: no limit. RAM: MiB."""

    ram: int = field(name="maxTotalRAMSize")
    ram_used: int = field(name="totalRAMUsed")
    cores: int = field(name="maxTotalCores")
    cores_used: int = field(name="totalCoresUsed")


class _Servers(Struct, frozen=True):
    servers: list[Server]


class _One(Struct, frozen=True):
    server: Server


class _New(Struct, frozen=True):
    id: str


class _Created(Struct, frozen=True):
    server: _New


class _Inner(Struct, frozen=True):
    absolute: Absolute


class _Limits(Struct, frozen=True):
    limits: _Inner


class GoneError(VmError):
    """Nova knows no such server (any more)."""


class Cloud:
    """One project of one cloud named in a clouds.yaml. Thread-safe; connects when first asked."""

    def __init__(self, name: str, clouds: Path, timeout_s: float = TIMEOUT_S) -> None:
        self.name = name
        self._clouds = clouds
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._connection: openstack.connection.Connection | None = None

    def servers(self) -> list[Server]:
        """Return every server of the project; VmError when Nova can speak for some only."""
        found: list[Server] = []
        for _ in range(PAGES):
            marker = f"&marker={found[-1].id}" if found else ""
            path = f"/servers/detail?limit={PAGE}{marker}"
            page = self._ask("GET", path, None, _Servers, "list servers").servers
            found += page
            if len(page) < PAGE:
                break
        else:
            raise VmError(f"{self} has more than {PAGE * PAGES} servers in this project")
        unknown = [server.id for server in found if server.status == "UNKNOWN"]
        if unknown:
            raise VmError(
                f"{self}: a part of the cloud is away and with it what is known of "
                f"{len(unknown)} servers, such as {unknown[0]}; nothing is done until it is back"
            )
        return found

    def server(self, id_: str) -> Server | None:
        """Return one server, None when it is gone."""
        try:
            return self._ask("GET", f"/servers/{id_}", None, _One, f"show server {id_}").server
        except GoneError:
            return None

    def create(self, body: dict[str, Any]) -> str:
        """Ask for a server and return its id; it is never asked for twice."""
        return self._ask("POST", "/servers", {"server": body}, _Created, "make a server").server.id

    def delete(self, id_: str) -> None:
        """Ask for a server's end; nothing happens when it is gone."""
        try:
            self._ask("DELETE", f"/servers/{id_}", None, None, f"end server {id_}")
        except GoneError:
            return

    def write(self, id_: str, metadata: dict[str, str]) -> None:
        """Write these items of a server's metadata, leaving the others."""
        path = f"/servers/{id_}/metadata"
        self._ask("POST", path, {"metadata": metadata}, None, f"write on server {id_}")

    def limits(self) -> Absolute:
        """Return the project's quota."""
        return self._ask("GET", "/limits", None, _Limits, "tell its limits").limits.absolute

    def flavor(self, name: str) -> tuple[str, Flavor]:
        """Return a flavor's id and size, by name or id; VmRefusedError when there is none."""
        found = self._find("flavor", "compute", name)
        return str(found.id), Flavor(int(found.ram), int(found.vcpus))

    def image(self, name: str) -> str:
        """Return an image's id, by name or id; VmRefusedError when there is none."""
        return str(self._find("image", "image", name).id)

    def network(self, name: str) -> str:
        """Return a network's id, by name or id; VmRefusedError when there is none."""
        return str(self._find("network", "network", name).id)

    def close(self) -> None:
        """Let go of the connection; servers live on."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def __str__(self) -> str:
        return f"OpenStack {self.name!r}"

    def _connected(self) -> "openstack.connection.Connection":
        with self._lock:
            if self._connection is None:
                # Only this file: neither the environment nor the working folder speak.
                loader = openstack.config.OpenStackConfig(
                    config_files=[str(self._clouds)],
                    secure_files=[],
                    vendor_files=[],
                    load_envvars=False,
                )
                region = loader.get_one(cloud=self.name, api_timeout=self._timeout_s)
                self._connection = openstack.connection.Connection(config=region)
                log.info("openstack named", cloud=self.name)
            return self._connection

    def _ask(
        self, method: str, path: str, body: object, kind: type[Answer] | None, what: str
    ) -> Answer:
        try:
            # Not again by itself: a creation whose answer was late would make a second server.
            response = self._connected().compute.request(
                path,
                method,
                json=body,
                microversion=MICROVERSION,
                raise_exc=False,
                connect_retries=0,
                status_code_retries=0,
            )
            status, data = int(response.status_code), bytes(response.content)
        except (ClientException, SDKException) as error:
            raise self._away(error, what) from error
        if status >= 300:
            raise self._refusal(status, data, what)
        if kind is None:
            return None  # type: ignore[return-value]
        if len(data) > ANSWER_LIMIT:
            raise VmError(f"{self}: its answer is longer than {ANSWER_LIMIT} bytes: {what}")
        try:
            return msgspec.json.decode(data, type=kind)
        except msgspec.DecodeError as error:
            raise VmError(f"{self} does not {what}: no answer of Nova's: {error}") from error

    def _find(self, kind: str, service: str, name: str) -> Any:
        try:
            found = getattr(getattr(self._connected(), service), f"find_{kind}")(name)
        except (ClientException, SDKException) as error:
            raise self._away(error, f"look up {kind} {name!r}") from error
        if found is None:
            raise VmRefusedError(f"{self} has no {kind} {name!r}: correct the template, or make it")
        return found

    def _away(self, error: Exception, what: str) -> VmError:
        text = _short(str(error))
        if isinstance(error, Unauthorized):
            return VmError(f"{self}: Keystone refuses the credentials in {self._clouds}: {text}")
        return VmError(f"{self} does not {what}: {text}")

    def _refusal(self, status: int, data: bytes, what: str) -> VmError:
        text = _message(data) or f"status {status}"
        told = f"{self} does not {what}: {text}"
        if status == 404:
            return GoneError(told)
        if means_full(text):
            return VmFullError(told)
        if status == 406:
            return VmRefusedError(f"{told}: Nova before microversion {MICROVERSION} is too old")
        if status == 401:
            return VmError(f"{told}: Keystone does not confirm the credentials in {self._clouds}")
        return VmRefusedError(told) if status in (400, 403) else VmError(told)


def means_full(text: str) -> bool:
    """Return whether Nova's words mean that there is no room."""
    lower = text.lower()
    return any(words in lower for words in FULL)


def _message(data: bytes) -> str:
    try:
        (fault,) = msgspec.json.decode(data[:100_000], type=dict[str, Fault]).values()
    except (msgspec.DecodeError, ValueError):
        return _short(data[:2000].decode(errors="replace"))
    return _short(fault.message)


def _short(text: str) -> str:
    return " ".join(text.split())[:300]
