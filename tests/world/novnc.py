"""noVNC as it is pinned in lock/novnc, installed on first use."""

import subprocess
from pathlib import Path

import pytest

LOCK = Path(__file__).parents[2] / "lock" / "novnc"


def novnc() -> Path:
    """The folder of noVNC; skips where npm cannot bring it."""
    folder = LOCK / "node_modules" / "@novnc" / "novnc"
    if not (folder / "core" / "rfb.js").exists():
        command = ["npm", "ci", "--prefix", str(LOCK), "--ignore-scripts", "--no-audit"]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=120)
        except (OSError, subprocess.SubprocessError) as error:
            pytest.skip(f"noVNC cannot be installed: {error}")
    return folder
