"""A table in BENCHMARKS.md between two marks of its name."""

from collections.abc import Sequence

from tests.world.places import ROOT


def write_between(name: str, lines: Sequence[str]) -> None:
    """Put `lines` between the marks, which are added at the end when they are not there."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    path = ROOT / "BENCHMARKS.md"
    text = path.read_text() if path.exists() else "# Benchmarks\n"
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    if not rest:
        before, after = text.rstrip("\n") + "\n\n", "\n"
    path.write_text(f"{before}{begin}\n{chr(10).join(lines)}\n{end}{after}")
