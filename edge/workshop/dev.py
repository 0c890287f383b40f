"""`plugin dev`: build on every change and let the plugin live in a made-up room. Writes nothing."""

import hashlib
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from edge.plugins.errors import PluginError
from edge.plugins.install import InstalledPlugin
from edge.plugins.manifest import MANIFEST, parse, settings_for
from edge.process.toml import absent
from edge.workshop.build import LANGUAGES, build
from edge.workshop.day import BEGIN_H
from edge.workshop.errors import WorkshopError
from edge.workshop.golden import check
from edge.workshop.narrate import Narrator
from edge.workshop.stage import Stage
from edge.workshop.trial import Trial

LOOK_MS = 100
"""How often the day moves on and the folder is looked at."""
ENDINGS = {ending for ending, _ in LANGUAGES.values()} | {".h"}

Echo = Callable[[str], None]


@dataclass(slots=True)
class Dev:
    """The plugin in a folder, at work in a made-up room. close() frees what it holds.

    speed: simulated seconds a second; mono: what measures a second.
    """

    folder: Path
    cache: Path
    echo: Echo
    speed: float = 120.0
    begin_h: float = BEGIN_H
    mono: Callable[[], float] = time.monotonic
    stage: Stage | None = None
    narrator: Narrator = field(default_factory=Narrator)
    _seen: str = ""
    _last: float = 0.0

    def look(self) -> None:
        """Build and swap when the source has changed; what is wrong with it is said."""
        mark = _mark(self.folder)
        if mark == self._seen:
            return
        self._seen = mark
        self.echo(f"-- building {self.folder.resolve().name}")
        begun = self.mono()
        try:
            trial = Trial(self._built(), self._say, deadline_ms=0)
        except (WorkshopError, PluginError, OSError) as error:
            self.echo(f"-- {error}")
            self.echo("-- the last good build goes on" if self.stage else "-- waiting for a change")
            return
        size = len(trial.plugin.wasm)
        self.echo(f"-- built in {self.mono() - begun:.1f} s, {size} bytes; {self._golden(trial)}")
        self._swap(trial)
        self._last = self.mono()

    def live(self) -> bool:
        """Let the room live on for as long as it was not looked at; False when the day is over."""
        now, before = self.mono(), self._last
        self._last = now
        stage = self.stage
        if stage is None:
            return True
        quarantined = stage.quarantined
        for scene in stage.advance(stage.hour + (now - before) * self.speed / 3600):
            for line in self.narrator.lines(scene):
                self.echo(line)
            if stage.quarantined and not quarantined:
                quarantined = True
                self.echo("-- quarantined, as in a room, after three failures: change the source")
        return not stage.over

    def again(self) -> None:
        """Begin the day anew with the same build."""
        if self.stage is not None:
            self.stage = Stage(self.stage.trial, self.begin_h)
            self.narrator = Narrator()

    def close(self) -> None:
        """Free the sandbox."""
        if self.stage is not None:
            self.stage.trial.close()
            self.stage = None

    def _built(self) -> InstalledPlugin:
        data = (self.folder / MANIFEST).read_bytes()
        where = f"{self.folder.resolve().name}/{MANIFEST}"
        manifest = parse(data, where)
        wasm = build(self.folder, self.cache)
        manifest = msgspec.structs.replace(manifest, sha256=hashlib.sha256(wasm).hexdigest())
        return InstalledPlugin(manifest, wasm, settings_for(manifest, {}, where), "")

    def _golden(self, trial: Trial) -> str:
        wrong = []
        count = 0
        for found in check(self.folder, trial):
            count += 1
            if found.differences:
                wrong.append("\n".join([f"   {found.file.name}: {found.title}", *(
                    f"      {line}" for line in found.differences
                )]))  # fmt: skip
        if wrong:
            return "\n".join([f"{len(wrong)} of {count} golden events otherwise:", *wrong])
        return f"{count} golden events as expected"

    def _swap(self, trial: Trial) -> None:
        if self.stage is None:
            self.stage = Stage(trial, self.begin_h)
        else:
            old = self.stage.trial
            self.stage.swap(trial)
            old.close()
            self.narrator.forget()

    def _say(self, level: str, message: str) -> None:
        self.echo(f"          it says {level}: {message}")


def run(folder: Path, speed: float, begin_h: float, once: bool, echo: Echo) -> None:
    """Watch and live until Ctrl-C, or until the day is over when it is to be lived `once`.

    WorkshopError where there is no plugin, or none that builds when it is to be lived once.
    """
    if allowed := absent(folder / MANIFEST):
        raise WorkshopError(
            f"{folder} holds no plugin: needed is {allowed}; `plugin new` makes one"
        )
    try:
        from watchfiles import watch  # noqa: PLC0415 - only authors have it
    except ImportError as error:
        raise WorkshopError(
            "watchfiles is not installed: pip install './roomkeeper[plugin-dev]'"
        ) from error
    with tempfile.TemporaryDirectory(prefix="roomkeeper-dev-") as cache:
        dev = Dev(folder, Path(cache), echo, speed, begin_h)
        try:
            dev.look()
            if once and dev.stage is None:
                raise WorkshopError(f"{folder} does not build, so there is no day to live")
            looks = watch(
                folder, watch_filter=_of_interest, debounce=LOOK_MS, step=LOOK_MS // 2,
                rust_timeout=LOOK_MS, yield_on_timeout=True,
            )  # fmt: skip
            for changed in looks:
                if changed:
                    dev.look()
                if not dev.live():
                    if once:
                        return
                    echo("-- the day is over and begins again")
                    dev.again()
        except KeyboardInterrupt:
            echo("")
        finally:
            dev.close()


def _of_interest(_change: object, path: str) -> bool:
    file = Path(path)
    return file.suffix in ENDINGS or file.name == MANIFEST or file.parent.name == "golden"


def _mark(folder: Path) -> str:
    """Return a mark of everything a build comes from; the hash a build writes does not count."""
    mark = hashlib.sha256()
    files = [path for path in folder.iterdir() if path.suffix in ENDINGS]
    for file in sorted([*files, *folder.glob("golden/*.json"), folder / MANIFEST]):
        try:
            data = file.read_bytes()
        except OSError:
            continue
        data = re.sub(rb"(?m)^sha256 = .*$", b"", data) if file.name == MANIFEST else data
        mark.update(file.name.encode() + b"\0" + hashlib.sha256(data).digest())
    return mark.hexdigest()
