"""Builds templates before anybody waits for a copy. Thread "templates"."""

import threading
from collections.abc import Mapping

import structlog

from cloud_bridge.vms.base import VmError
from cloud_bridge.vms.clones.provider import CloneProvider

log = structlog.get_logger()


class Warmer:
    """Builds once, at the start; what it cannot, `ensure` tries again when it is asked for."""

    def __init__(self, provider: CloneProvider, sizes: Mapping[str, tuple[int, int]]) -> None:
        self._provider = provider
        self._sizes = sizes
        # Nothing can end a boot early; its guest dies with this process.
        self._thread = threading.Thread(target=self._run, name="templates", daemon=True)

    def start(self) -> None:
        """Begin to build."""
        self._thread.start()

    def _run(self) -> None:
        try:
            self._provider.prepare(self._sizes)
        except VmError as error:
            log.error("templates are not all built", reason=str(error))
