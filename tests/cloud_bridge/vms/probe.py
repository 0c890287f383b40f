"""A small guest whose page runs commands, so that a test can try things from inside."""

import http.client
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from cloud_bridge.types import Machine
from cloud_bridge.vms.guest import cpio

APPLETS = ("nc", "wget", "ping", "nslookup", "arping", "tftp", "timeout", "tr", "head", "dd", "ls")
SHELL = """#!/bin/sh
export PATH=/bin
printf 'Content-Type: text/plain\\r\\n\\r\\n'
eval "$(httpd -d "$QUERY_STRING")" 2>&1
"""


AGENT = """#!/bin/sh
# In the agent's place: a page from files, which may run commands.
export PATH=/bin
printf '%s %s\\n' "$3" "$4" > /www/ready
exec httpd -h /www -p "$1"
"""


def probe(base: Path, out: Path, more: Sequence[cpio.Entry] = ()) -> Path:
    """Write the small guest's initramfs with a page that runs commands; return it."""
    entries = [cpio.symlink(f"bin/{applet}", "busybox") for applet in APPLETS]
    entries += [cpio.directory(name) for name in ("www", "www/cgi-bin")]
    entries.append(cpio.regular("bin/agent", AGENT.encode(), 0o755))
    entries.append(cpio.regular("www/cgi-bin/try", SHELL.encode(), 0o755))
    # The kernel unpacks one archive after the other.
    out.write_bytes(base.read_bytes() + cpio.archive([*entries, *more]))
    return out


def run(machine: Machine, command: str, seconds: float = 60.0) -> str:
    """Return what the command said inside the guest, its errors too."""
    return fetch(machine, f"/cgi-bin/try?{quote(command, safe='')}", seconds)


def fetch(machine: Machine, path: str, seconds: float = 10.0) -> str:
    """Return a file of the guest's page, "" when it does not answer."""
    connection = http.client.HTTPConnection(machine.address, timeout=seconds)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.read().decode(errors="replace") if response.status == 200 else ""
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        connection.close()
