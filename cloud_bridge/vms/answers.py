"""Whether a machine's own service answers: the page behind its port states its key and token."""

import http.client

from cloud_bridge.types import Machine

PATH = "/ready"
TIMEOUT_S = 0.4
LIMIT = 512


def answers(machine: Machine, timeout_s: float = TIMEOUT_S) -> bool:
    """Return whether the machine itself, and no other process on its port, answers."""
    if not machine.address:  # which http.client would take for this host
        return False
    connection = http.client.HTTPConnection(machine.address, timeout=timeout_s)
    try:
        connection.request("GET", PATH)
        response = connection.getresponse()
        told = response.read(LIMIT).decode(errors="replace").split()
        return response.status == http.client.OK and told == [machine.key, machine.token]
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()
