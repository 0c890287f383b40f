"""What a guest may reach beyond its own page: nothing, or the listed hosts and ports by relay.

QEMU's own user network, shut in, forwards one port and nothing else. A template with `egress` gets
its network from a small process of its own beside QEMU instead: the same libslirp, shut in as well,
where each listed endpoint has an address of its own inside the guest's network. What arrives there
is carried on, byte by byte, by a relay that knows one host and one port. No packet of a guest ever
leaves, so there is nothing to route or to filter, no bridge and no root.
"""

from collections.abc import Iterable
from dataclasses import dataclass

NETWORK, GATEWAY, GUEST, NAMESERVER = "10.0.2.0", "10.0.2.2", "10.0.2.15", "10.0.2.3"
FIRST = 101


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One host (name or address) and TCP port; `inside`: its address in the guest's network."""

    host: str
    port: int
    inside: str


def endpoints(texts: Iterable[str]) -> tuple[Endpoint, ...]:
    """Return each "host:port" with the address it has inside; one address for each host."""
    hosts: dict[str, str] = {}
    found = []
    for text in texts:
        host, _, port = text.rpartition(":")
        inside = hosts.setdefault(host, f"10.0.2.{FIRST + len(hosts)}")
        found.append(Endpoint(host, int(port), inside))
    return tuple(found)
