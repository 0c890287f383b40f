"""One appliance's plugins on disk, and the author whose key it pins."""

from pathlib import Path

from edge.plugins.install import InstalledPlugin, load_folder
from edge.plugins.private import PrivateFolder
from edge.plugins.rollback import read_rollback, statement
from edge.plugins.shelf import Shelf
from edge.plugins.signature import load_keys, sign
from edge.plugins.versions import Row, Versions
from tests.plugins.guests import Maker


class Site:
    """One appliance's store, and the author whose key it pins."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.maker = folder, Maker(folder)
        self.offered = folder / "offered"

    @property
    def versions(self) -> Versions:
        """As a new process sees them."""
        return Versions(PrivateFolder(self.folder / "store"), self.maker.keys)

    @property
    def shelf(self) -> Shelf:
        return Shelf(self.offered, self.maker.keys, self.versions)

    def made(self, version: str, **more: object) -> InstalledPlugin:
        home = self.maker.write(self.folder / "source", version, **more)  # type: ignore[arg-type]
        return load_folder(home, "guest", load_keys(self.maker.keys), {})

    def offer(self, version: str, **more: object) -> None:
        self.maker.write(self.offered / "guest", version, **more)  # type: ignore[arg-type]

    def install(self, *numbers: str) -> Row:
        for number in numbers:
            self.versions.install(self.made(number))
        return self.row

    @property
    def row(self) -> Row:
        return self.versions.rows()["guest"]

    def kept(self) -> set[str]:
        return {path.name for path in (self.folder / "store/versions/guest").iterdir()}

    def going_back(self, highest: str, to: str, key: object = None) -> Path:
        file = self.folder / "guest.rollback"
        text = statement("guest", highest, to)
        file.write_text(text)
        signed = sign(text.encode(), key or self.maker.key, "rollback")  # type: ignore[arg-type]
        (self.folder / "guest.rollback.minisig").write_text(signed)
        return file

    def rollback(self, file: Path) -> Row:
        return self.versions.rollback(read_rollback(file, load_keys(self.maker.keys)))
