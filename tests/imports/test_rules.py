"""The import rules hold, and each of the project's own rules breaks when it is broken."""

import subprocess
import sys
from pathlib import Path

import grimp
import pytest

from tests.imports.rules import ImportedOnlyBy, ImportsOnly

ROOT = Path(__file__).parents[2]


def lint(*arguments):
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(
        [sys.executable, "-c", code, "--no-logo", "--no-cache", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_every_module_keeps_the_rules():
    done = lint()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def broken(rule, options, *imports):
    graph = grimp.ImportGraph()
    for importer, imported in imports:
        for module in (importer, imported):
            graph.add_module(module)
        graph.add_import(importer=importer, imported=imported)
    contract = rule(name="rule", session_options={}, contract_options={"name": "r", **options})
    check = contract.check(graph, verbose=False)
    assert check.kept == (not check.metadata["wrong"])
    return check.metadata["wrong"]


GATE = {"modules": ["edge.actuators.gate"], "allowed": ["edge.contracts"], "never": ["time"]}
BRIDGE = {"modules": ["cloud_bridge"], "allowed": ["edge.contracts"], "packages": "inside"}
VMS = {"modules": ["cloud_bridge.vms"], "allowed": ["cloud_bridge.reconcile"]}


@pytest.mark.parametrize(
    ("rule", "options", "importer", "imported", "kept"),
    [
        (ImportsOnly, GATE, "edge.actuators.gate", "edge.contracts.base", True),
        (ImportsOnly, GATE, "edge.actuators.gate", "math", True),
        (ImportsOnly, GATE, "edge.actuators.gate", "time", False),
        (ImportsOnly, GATE, "edge.actuators.gate", "structlog", False),
        (ImportsOnly, GATE, "edge.actuators.gate", "edge.decide.policy", False),
        (ImportsOnly, GATE, "edge.actuators.gate", "edge.contractsx", False),
        (ImportsOnly, GATE, "edge.actuators.vm", "structlog", True),
        (ImportsOnly, BRIDGE, "cloud_bridge.store", "sqlalchemy", True),
        (ImportsOnly, BRIDGE, "cloud_bridge.store", "cloud_bridge.types", True),
        (ImportsOnly, BRIDGE, "cloud_bridge.ingest", "edge.fusion.state", False),
        (ImportedOnlyBy, VMS, "cloud_bridge.reconcile", "cloud_bridge.vms.qemu", True),
        (ImportedOnlyBy, VMS, "cloud_bridge.vms.qemu", "cloud_bridge.vms.base", True),
        (ImportedOnlyBy, VMS, "cloud_bridge.admin.pages", "cloud_bridge.vms", False),
    ],
)
def test_a_rule_is_broken_by_what_it_forbids_and_by_nothing_else(
    rule, options, importer, imported, kept
):
    assert broken(rule, options, (importer, imported)) == ([] if kept else [(importer, imported)])
