"""The design system beside a page: its icons, its style sheets, and a stamp that renews caches."""

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from edge.process.web import WebError

THEME_FILES = ("tokens.css", "base.css", "components.css")
LOOKS = ("auto", "light", "dark")


class Theme:
    """The files of `folder` (config/theme); `stamp` changes with them and with `beside`.

    icons: the sprite, to stand once in each page. Raises WebError when a file is missing.
    """

    def __init__(self, folder: Path, beside: Iterable[Path] = ()) -> None:
        self.folder = folder.resolve()
        files = [*(folder / name for name in THEME_FILES), *beside]
        try:
            self.icons = (folder / "icons.svg").read_text("utf-8")
            kept = b"".join(path.read_bytes() for path in files)
        except OSError as error:
            raise WebError(f"theme {folder}: {error}; point it at config/theme") from error
        self.stamp = sha256(kept + self.icons.encode()).hexdigest()[:12]
