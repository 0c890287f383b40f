"""A whole site under load with one meeting, as the killing of its parts needs it."""

import time
import urllib.error
from collections.abc import Callable
from pathlib import Path

from tests.faults.follower import Follower
from tests.faults.load import BOARDS, Load
from tests.faults.outside import Watch, guests, virsh
from tests.world.probes import SiteError, wait_for
from tests.world.site import ROOM, Media, Site, Wishes

LONG_S = 3 * 3600.0
FAR_S = 20 * 3600.0
READY_S = 90.0
PERIODS_S = 6.0
"""Two periods of the reconciler."""


class World(Site):
    """A site without camera and microphone; its boards are the load. `uid` is the meeting's."""

    nodes = BOARDS

    def __init__(self, folder: Path, tell: Callable[[str, str], None]) -> None:
        super().__init__(folder, Wishes(lead_s=45.0), tell, Media("", "", [(0.0, 0)]))
        self.uid = ""
        self.missing: list[str] = []
        """What the part that was killed last still lacks, where it tells."""
        self._met = 0
        self._far = 0
        self.load = Load(self.ports.room, ROOM)
        self.watch = Watch(folder / "libvirt")
        self.follower: Follower

    def begin(self) -> None:
        """Bring everything up, put it under load, begin a meeting."""
        self.up()
        self.follower = Follower(self.journal)
        self.load.start()
        self.watch.start()
        self.meet()

    def end(self) -> list[str]:
        """Take everything down; return what had to be killed."""
        for part in (self.load, self.watch):
            part.stop()
        if hasattr(self, "follower"):
            self.follower.close()
        return self.close()

    def _boards(self) -> None:
        """The load plays the boards."""

    def meet(self) -> None:
        """End the meeting there is and begin another; return when its machine is ready."""
        if self.uid:
            self.leave()
        self._met += 1
        self.uid = f"fault-{self._met}"
        start = float(int(time.time()) + 3)
        self.book(self.uid, start, start + LONG_S, "Under load #demo")
        wait_for(
            f"the machine of {self.uid}",
            lambda: self.follower.poll().phase(self.uid) == "ready",
            READY_S,
            self.log("reconcile"),
        )

    def leave(self) -> None:
        """Cancel the meeting; return when no machine runs any more."""
        self.cancel(self.uid)
        self.uid = ""
        wait_for("the end of every machine", lambda: not self.guests(), READY_S)

    def book_far_ahead(self) -> str:
        """Book a short meeting some hours ahead; return its uid, "" when nobody takes it."""
        self._far += 1
        uid = f"far-{self._far}"
        start = float(int(time.time() + FAR_S) + self._far * 60)
        try:
            self.book(uid, start, start + 60, "Far ahead")
        except (OSError, urllib.error.URLError):
            return ""
        return uid

    def guests(self) -> dict[int, str]:
        """Return the machines that run, by process id."""
        return guests(self.folder / "libvirt")

    def domains(self) -> list[str] | None:
        """Return the machines that the hypervisor lists, None while it does not answer."""
        return virsh(self.hypervisor, "list", "--all", "--name")

    def settle(self, seconds: float) -> int:
        """Return the last row that is durable now, when the service says that it has it."""
        head = self.follower.poll().head
        wait_for(
            "the service has every row",
            lambda: self.follower.poll().cursor >= head,
            seconds,
            self.log("ingest"),
        )
        return head

    def orphans(self) -> int:
        """Return how many machines run or are listed that no meeting wants, or twice."""
        wanted = 1 if self.uid else 0
        running = self.guests()
        listed = self.domains()
        if listed is None:
            raise SiteError("the hypervisor does not list its machines")
        return max(0, len(running) - wanted, len(listed) - wanted) + len(self.watch.seconds)
