"""A thread of its own that serves one thing until it is told to end."""

import threading


class Worker:
    """The life of a thread `name`; what it does is a subclass's `_run`, while `_stop` is not set.

    daemon: a call into a driver or a request that hangs cannot be interrupted, must not hold up the
    end of the process, and loses nothing with it. Not so for native code that always comes back:
    that must not run on while the interpreter is taken down.
    """

    def __init__(self, name: str, *, daemon: bool = True) -> None:
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=daemon)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """End within 1 s; what hangs then is left to die with the process."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(0.9)

    def _run(self) -> None:
        raise NotImplementedError
