"""The lights plugin in Extism's Python SDK, called as its own documents do."""

import extism

from tests.bench.extism.build import WASM

DEADLINE_MS = 200
PAGES = 64


class Peer:
    """One plugin, kept between calls (Extism's way), with the memory limit that ours has.

    deadline: whether it has our deadline too; without one a loop would hold the caller for ever.
    """

    def __init__(self, *, deadline: bool) -> None:
        manifest = {"wasm": [{"data": WASM.read_bytes()}], "memory": {"max_pages": PAGES}}
        if deadline:
            manifest["timeout_ms"] = DEADLINE_MS
        self._plugin = extism.Plugin(manifest, wasi=False)

    def call(self, text: str) -> str:
        """Return what the plugin answers."""
        return bytes(self._plugin.call("run", text)).decode("utf-8")
