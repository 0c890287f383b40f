"""Asks the service's other processes on the loopback how they are."""

import http.client
import time
from collections.abc import Callable, Mapping

import msgspec

from cloud_bridge.admin.facts import Answer, Part

TIMEOUT_S = 0.4
BODY_LIMIT = 16 * 1024
LOOPBACK = "127.0.0.1"


def probe(ports: Mapping[str, int], wall: Callable[[], float] = time.time) -> tuple[Part, ...]:
    """Return how each process answers on its health port, by name."""
    return tuple(_ask(name, port, wall()) for name, port in ports.items())


def _ask(name: str, port: int, now: float) -> Part:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        told = msgspec.json.decode(answer.read(BODY_LIMIT), type=dict[str, object])
    except (OSError, http.client.HTTPException, msgspec.MsgspecError, ValueError):
        return Part(name, "away", "It is started again by its supervisor.", now)
    finally:
        connection.close()
    kind: Answer = "ok" if answer.status == 200 else "ill"
    wrong = [f"{key}: {value}" for key, value in told.items() if value is False and key != "ok"]
    wrong += [
        f"{key}: {told[key]}"
        for key in ("store", "trouble")
        if told.get(key, "ok") not in ("ok", "")
    ]
    return Part(name, kind, "" if kind == "ok" else "; ".join(wrong)[:300], now)
