"""The mutation score: `python -m tests.mutation [--write]`.

mutmut changes gate, arbiter and policy in every small way it knows and runs their tests on each; a
change that no test notices survives. Survivors that change nothing anybody could see stand in
equivalent.toml with the reason. `--write` puts the table between the markers of BENCHMARKS.md.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PLACE = ROOT / "build" / "mutation"
DOCUMENT = ROOT / "BENCHMARKS.md"
BEGIN, END = "<!-- mutation:begin -->", "<!-- mutation:end -->"
TARGETS = {
    "gate": "edge/actuators/gate.py",
    "arbiter": "edge/decide/arbiter.py",
    "policy": "edge/decide/policy.py",
}
TESTS = (
    "tests/actuators/test_gate.py",
    "tests/actuators/test_gate_properties.py",
    "tests/decide/test_arbiter.py",
    "tests/decide/test_award.py",
    "tests/decide/test_policy.py",
    "tests/decide/test_policy_exact.py",
)
COPIED = ("edge", "config", "tests/__init__.py", "tests/conftest.py", "tests/actuators",
          "tests/decide", "tests/world", "pyproject.toml")  # fmt: skip


SURVIVED = (0, 33, None)
"""How a mutant ended that no test noticed: all passed, none looked at it, it was not tried."""


@dataclass(slots=True)
class Score:
    """How one module's mutants fared. survived: name -> the change, as `old` and `new`."""

    killed: int = 0
    equivalent: int = 0
    survived: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def value(self) -> float:
        """Per cent of the mutants that could be noticed that were."""
        counted = self.killed + len(self.survived)
        return 100.0 * self.killed / counted if counted else 0.0


def main() -> int:
    """Run every mutant, print a JSON line a module and each survivor; 1 when any survived."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("--write", action="store_true", help="put the table into BENCHMARKS.md")
    parser.add_argument("--keep", action="store_true", help="judge what ran last, run nothing")
    asked = parser.parse_args()
    if not asked.keep:
        prepare()
        mutmut("run", "--max-children", str(os.cpu_count() or 1), quiet=False)
    scores = judge()
    for name, score in scores.items():
        print(json.dumps({
            "figure": f"mutation score: {name}", "value": round(score.value, 1), "unit": "%",
            "peer": None, "ratio": None,
        }))  # fmt: skip
        for mutant, (old, new) in score.survived.items():
            print(f"  survived {mutant}\n    - {old}\n    + {new}", file=sys.stderr)
    if asked.write:
        DOCUMENT.write_text(put(DOCUMENT.read_text(), table(scores)))
    return int(any(score.survived for score in scores.values()))


def prepare() -> None:
    """Copy what the tests need, so that nothing in the tree is ever changed."""
    shutil.rmtree(PLACE, ignore_errors=True)
    for name in COPIED:
        source, target = ROOT / name, PLACE / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    settings = {
        "source_paths": ["edge"],
        "only_mutate": list(TARGETS.values()),
        "also_copy": ["config"],
        "pytest_add_cli_args": ["-p", "no:cacheprovider"],
        "pytest_add_cli_args_test_selection": list(TESTS),
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    with (PLACE / "pyproject.toml").open("a") as file:
        file.write("\n[tool.mutmut]\nuse_git_change_detection = false\n" + "\n".join(lines) + "\n")


def mutmut(*words: str, quiet: bool = True) -> str:
    """Run mutmut in the copy and return what it prints; not quiet: its progress is shown."""
    program = Path(sys.executable).with_name("mutmut")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [program, *words], cwd=PLACE, env=environment, text=True, check=not quiet,
        stdout=subprocess.PIPE if quiet else None, stderr=subprocess.DEVNULL if quiet else None,
    )  # fmt: skip
    return done.stdout or ""


def judge() -> dict[str, Score]:
    """Return the score of each module from what mutmut remembers."""
    known = tomllib.loads((HERE / "equivalent.toml").read_text("utf-8"))["equivalent"]
    harmless = Counter((row["old"], row["new"]) for row in known)
    scores = {name: Score() for name in TARGETS}
    for name, path in TARGETS.items():
        meta = json.loads((PLACE / "mutants" / f"{path}.meta").read_text())
        for mutant, code in meta["exit_code_by_key"].items():
            if code not in SURVIVED:
                scores[name].killed += 1
                continue
            change = changed(mutant)
            if harmless[change]:
                scores[name].equivalent += 1
            else:
                scores[name].survived[mutant] = change
    return scores


def changed(mutant: str) -> tuple[str, str]:
    """Return the line before and after the mutant's change."""
    shown = mutmut("show", mutant).splitlines()
    old = [x[1:].strip() for x in shown if x.startswith("-") and not x.startswith("---")]
    new = [x[1:].strip() for x in shown if x.startswith("+") and not x.startswith("+++")]
    return " ".join(old), " ".join(new)


def table(scores: dict[str, Score]) -> str:
    """Return the scores as a Markdown table."""
    rows = [
        "| module | mutants | killed | equivalent | survived | score |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, score in scores.items():
        left = len(score.survived)
        made = score.killed + score.equivalent + left
        rows.append(
            f"| `{TARGETS[name]}` | {made} | {score.killed} | {score.equivalent} | {left} "
            f"| {score.value:.1f} % |"
        )
    return "\n".join(rows)


def put(document: str, text: str) -> str:
    """Return the document with `text` between the markers."""
    before, rest = document.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


if __name__ == "__main__":
    sys.exit(main())
