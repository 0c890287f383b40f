"""nova-compute with the driver without a hypervisor, run by its own Python: UUID OPTIONS.

That driver is made for tests inside one process and draws its host's identity anew in each, so
Nova rightly takes one that was started again for another host, and never gives its servers back.
"""

import sys
from pathlib import Path

from nova.cmd import compute  # first: it replaces parts of the standard library
from nova.virt import fake


class Kept:
    """The identity of the one host, in every process; no other name is asked for."""

    def __init__(self, identity: str) -> None:
        self._identity = identity

    def __getattr__(self, _name: str) -> str:
        return self._identity


def main() -> int | None:
    fake.uuids = Kept(sys.argv.pop(1))
    sys.argv[0] = str(Path(sys.executable).parent / "nova-compute")
    return compute.main()


if __name__ == "__main__":
    sys.exit(main())
