"""Every figure in one table: `python -m tests.bench [--write] [NAME...]`.

Each module of this folder is a script that prints one JSON line per figure. `--write` puts the
table between the markers of BENCHMARKS.md; with names, only these modules' rows change there.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
DOCUMENT = ROOT / "BENCHMARKS.md"
BEGIN, END = "<!-- figures -->", "<!-- /figures -->"
ROWS_OF = "The rows of "
LIMIT_S = 900.0


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number. ratio: to the peer of the same run, when there is one."""

    command: str
    figure: str
    value: float
    unit: str
    peer: str = ""
    ratio: float | None = None

    def row(self) -> str:
        """Return the figure as a row of the table."""
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}x"
        cells = (self.figure, f"{self.value:,.4g}", self.unit, self.peer, ratio, self.command)
        return "| " + " | ".join(cells) + " |"


def figures(name: str, lines: str) -> list[Figure]:
    """Return the figures a module printed; other lines are ignored."""
    found = []
    for line in lines.splitlines():
        if line.startswith("{"):
            row = json.loads(line)
            row["peer"] = row.get("peer") or ""
            if isinstance(row["peer"], int | float):
                row["peer"] = f"{row['peer']:,.4g} {row['unit']}"
            if isinstance(row["peer"], dict | list):
                row["peer"] = json.dumps(row["peer"])
            known = {key: row[key] for key in ("figure", "value", "unit", "peer")}
            found.append(Figure(f"`{name}`", **known, ratio=row.get("ratio")))
    return found


def machine() -> str:
    """Return one line about the machine the figures are from."""
    info = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.+)", info)
    memory = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    gigabytes = int(memory[1]) / 1024**2 if memory else 0
    return (
        f"{time.strftime('%Y-%m-%d')}, {model[1].strip() if model else platform.machine()}, "
        f"{os.cpu_count()} cores, {gigabytes:.0f} GB, Linux {platform.release()}, "
        f"Python {platform.python_version()}"
    )


def run(name: str) -> tuple[list[Figure], str]:
    """Run one module; return its figures and "" or what went wrong."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", f"tests.bench.{name}"], cwd=ROOT, capture_output=True, text=True,
            timeout=LIMIT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return [], f"{name}: no end after {LIMIT_S:g} s"
    found = figures(name, done.stdout)
    if done.returncode:
        return found, f"{name}: exit code {done.returncode}\n{done.stderr[-2000:]}"
    if found or done.stdout.startswith("skipped:"):
        return found, ""
    return found, f"{name}: printed no figure"


def table(found: list[Figure], circumstances: str = "") -> str:
    """Return the figures as a Markdown table under a line about the machine."""
    head = "| figure | value | unit | beside | ratio | `python -m tests.bench.` |"
    return "\n".join(
        [
            f"{machine()}{circumstances}.",
            "",
            head,
            "|---|--:|---|---|--:|---|",
            *(figure.row() for figure in found),
        ]
    )


def put(document: str, text: str) -> str:
    """Return `document` with `text` between its markers, appended with markers when it has none."""
    if BEGIN not in document or END not in document:
        document = f"{document.rstrip()}\n\n{BEGIN}\n{END}\n".lstrip()
    before, _, rest = document.partition(BEGIN)
    return f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}"


def again(document: str, names: Sequence[str], found: Sequence[Figure], load: str) -> str:
    """Return `document` with these modules' rows measured anew, the others as they were."""
    old = document.partition(BEGIN)[2].partition(END)[0].strip().splitlines()
    start = next(number for number, line in enumerate(old) if line.startswith("| figure |"))
    about = [left for line in old[:start] if (left := _without(line, names))]
    ends = tuple(f"| `{name}` |" for name in names)
    kept = [line for line in old[start + 2 :] if not line.endswith(ends)]
    rows = sorted([*kept, *(figure.row() for figure in found)], key=lambda row: row.split("|")[-2])
    named = ", ".join(f"`{name}`" for name in names)
    note = f"{ROWS_OF}{named} are of another run, {load}."
    return put(document, "\n".join([*about, note, "", *old[start : start + 2], *rows]))


def _without(line: str, names: Sequence[str]) -> str:
    """Return a line on the rows of another run without those names, "" when none is left."""
    if not line.startswith(ROWS_OF):
        return line
    named, _, rest = line.removeprefix(ROWS_OF).partition(" are ")
    left = [name for name in named.split(", ") if name.strip("`") not in names]
    return f"{ROWS_OF}{', '.join(left)} are {rest}" if left else ""


def main() -> int:
    """Run the modules, print their table; return 1 when one of them failed."""
    names = sorted(p.stem for p in HERE.glob("*.py") if not p.stem.startswith("_"))
    parser = argparse.ArgumentParser(description="Measure, and print one table.")
    parser.add_argument("--write", action="store_true", help="put the table into BENCHMARKS.md")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}")
    asked = parser.parse_args()
    found: list[Figure] = []
    failures = []
    began, loads = time.monotonic(), [os.getloadavg()[0]]
    for name in asked.names or names:
        if name not in names:
            parser.error(f"no figure module {name!r}; there are {', '.join(names)}")
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        rows, failure = run(name)
        found += rows
        failures += [failure] if failure else []
        loads.append(os.getloadavg()[0])
    took = (time.monotonic() - began) / 60
    load = f"load average {min(loads):.1f} to {max(loads):.1f} with other work on the machine"
    text = table(found, f"; measured in {took:.0f} min, {load}")
    print(text)
    if asked.write and not failures:
        old = DOCUMENT.read_text() if DOCUMENT.exists() else ""
        partial = bool(asked.names) and BEGIN in old
        new = again(old, asked.names, found, load) if partial else put(old, text)
        DOCUMENT.write_text(new)
    print("\n".join(failures), end="\n" if failures else "", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
