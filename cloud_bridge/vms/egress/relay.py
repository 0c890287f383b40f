"""Carries what a guest says to one listed endpoint there and back, on a thread of its own."""

import asyncio
import contextlib
import ipaddress
import socket
import threading
from collections.abc import Iterable
from pathlib import Path

from cloud_bridge.vms.egress import Endpoint

CONNECTIONS = 64
"""At once, of one guest; one more is closed at once."""
CONNECT_S, IDLE_S = 10.0, 3600.0
CHUNK = 65536


def permitted(host: str, address: str) -> bool:
    """Return whether `host` may lead to `address`.

    Who answers for a name must not lead the guest to this host or to the metadata address: those
    are reached only where an operator wrote the address itself.
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    found = mapped or found
    inward = found.is_loopback or found.is_link_local or found.is_unspecified or found.is_multicast
    return not inward or host.strip("[]") == address


class Relays:
    """Listens at one unix socket for each endpoint; `close()` is the process's end."""

    def __init__(self, served: Iterable[tuple[Endpoint, Path]]) -> None:
        self._served = tuple(served)
        self._open = 0
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="relays", daemon=True)

    def start(self) -> None:
        """Begin to listen; return once a guest could connect."""
        self._thread.start()
        self._ready.wait()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        servers = []
        for endpoint, path in self._served:

            async def serve(
                reader: asyncio.StreamReader,
                writer: asyncio.StreamWriter,
                endpoint: Endpoint = endpoint,
            ) -> None:
                await self._connection(endpoint, reader, writer)

            servers.append(await asyncio.start_unix_server(serve, path))
        self._ready.set()
        await asyncio.gather(*(server.serve_forever() for server in servers))

    async def _connection(
        self, endpoint: Endpoint, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if self._open >= CONNECTIONS:
            writer.transport.abort()
            return
        self._open += 1
        try:
            async with asyncio.timeout(CONNECT_S):
                far_reader, far_writer = await _connect(endpoint)
            async with asyncio.TaskGroup() as both:
                both.create_task(_pipe(reader, far_writer))
                both.create_task(_pipe(far_reader, writer))
            far_writer.close()
        except (OSError, TimeoutError, ExceptionGroup):
            pass  # The guest sees its connection end.
        finally:
            self._open -= 1
            writer.transport.abort()


async def _connect(endpoint: Endpoint) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host = endpoint.host.strip("[]")
    found = await asyncio.get_running_loop().getaddrinfo(
        host, endpoint.port, type=socket.SOCK_STREAM
    )
    addresses = [str(each[4][0]) for each in found]
    error: OSError = OSError(f"{host} leads nowhere it may")
    for address in addresses:
        if permitted(endpoint.host, address):
            try:
                return await asyncio.open_connection(address, endpoint.port)
            except OSError as failed:
                error = failed
    raise error


async def _pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    async with asyncio.timeout(None) as patience:
        while True:
            patience.reschedule(asyncio.get_running_loop().time() + IDLE_S)
            data = await source.read(CHUNK)
            if not data:
                break
            sink.write(data)
            await sink.drain()
    with contextlib.suppress(OSError):
        sink.write_eof()
