"""A server of Nova as a machine: its phase, its address, and which of two counts."""

from cloud_bridge.types import Machine, Phase
from cloud_bridge.vms.openstack_api import Server
from cloud_bridge.vms.openstack_tag import Tag, read_tag

DEAD = ("ERROR", "SHUTOFF", "DELETED", "SOFT_DELETED")


def rank(server: Server) -> tuple[bool, bool, str, str]:
    """Return an order in which of several with one key the one that counts comes first."""
    return (server.leaving, server.status in DEAD, server.created, server.id)


def key_of(server: Server) -> str:
    """Return the key a server bears, whoever wrote it, or ""."""
    tag = read_tag(server.metadata or {})
    return "" if tag is None else tag.key


def machine_of(server: Server, tag: Tag) -> Machine:
    """Return our server as a machine."""
    phase, detail = phase_of(server)
    return Machine(
        key=tag.key,
        meeting=tag.meeting,
        rooms=tag.rooms,
        template=tag.template,
        phase=phase,
        until=tag.until,
        created=tag.created,
        memory_mib=server.flavor.ram,
        grace_s=tag.grace_s,
        address=address_of(server, tag.port),
        token=tag.token,
        detail=detail,
    )


def phase_of(server: Server) -> tuple[Phase, str]:
    """Return the phase and why; whether a machine is ready, its page tells."""
    if server.leaving:
        return "ending", "its end was asked for, Nova has not done it yet"
    if server.status in DEAD:
        said = server.fault.message[:200]
        return "dead", f"Nova: {server.status}{f': {said}' if said else ''}"
    return "booting", ""


def stranger(server: Server) -> Machine:
    """Return somebody else's server as a machine that is left alone."""
    phase, _ = phase_of(server)
    name = server.name or server.id
    return Machine(name, "", (), "", phase, 0.0, 0.0, server.flavor.ram, ours=False)


def address_of(server: Server, port: int) -> str:
    """Return host:port of its page, "" before it has an address; a floating one goes first."""
    known = [each for addresses in server.addresses.values() for each in addresses]
    best = sorted(known, key=lambda each: (each.kind != "floating", each.version))
    if not best:
        return ""
    host = f"[{best[0].addr}]" if best[0].version == 6 else best[0].addr
    return f"{host}:{port}"
