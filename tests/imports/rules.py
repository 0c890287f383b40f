"""Import rules that import-linter lacks: "only these" for what is imported, and for who imports.

A module that does not exist yet is no mistake: its rule waits for it.
"""

import sys

import grimp
from importlinter import Contract, ContractCheck, fields, output


def within(module: str, places: set[str]) -> bool:
    """Return whether `module` is one of `places` or inside one."""
    return any(module == place or module.startswith(place + ".") for place in places)


class _Listed(Contract):
    """A contract that is broken by each (importer, imported) pair in its metadata."""

    def check(self, graph: grimp.ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002
        wrong = sorted(pair for pair in pairs(graph) if self.breaks(*pair))
        return ContractCheck(kept=not wrong, metadata={"wrong": wrong})

    def breaks(self, importer: str, imported: str) -> bool:
        raise NotImplementedError

    def render_broken_contract(self, check: ContractCheck) -> None:
        for importer, imported in check.metadata["wrong"]:
            output.print_error(f"{importer} imports {imported}")


def pairs(graph: grimp.ImportGraph) -> set[tuple[str, str]]:
    """Return every direct import in the graph."""
    return {
        (importer, imported)
        for importer in graph.modules
        if not graph.is_module_squashed(importer)
        for imported in graph.find_modules_directly_imported_by(importer)
    }


class ImportsOnly(_Listed):
    """`modules` import themselves, `allowed` and the standard library without `never`.

    packages = "inside" leaves third-party packages and the standard library alone.
    """

    type_name = "imports_only"
    modules = fields.SetField(subfield=fields.StringField())
    allowed = fields.SetField(subfield=fields.StringField())
    never = fields.SetField(subfield=fields.StringField(), required=False, default=set())
    packages = fields.StringField(required=False, default="all")

    def breaks(self, importer: str, imported: str) -> bool:
        """Return whether this import is not on the list."""
        if not within(importer, self.modules):
            return False
        if within(imported, self.never):
            return True
        if within(imported, self.modules | self.allowed):
            return False
        top = imported.partition(".")[0]
        if self.packages == "inside":
            return top in ("edge", "cloud_bridge")
        return top not in sys.stdlib_module_names


class ImportedOnlyBy(_Listed):
    """`modules` are imported by themselves and by `allowed`, by nobody else."""

    type_name = "imported_only_by"
    modules = fields.SetField(subfield=fields.StringField())
    allowed = fields.SetField(subfield=fields.StringField())

    def breaks(self, importer: str, imported: str) -> bool:
        """Return whether somebody else imports one of the modules."""
        return within(imported, self.modules) and not within(importer, self.modules | self.allowed)
