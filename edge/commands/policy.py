"""`roomkeeper-edge policy`: whether the policy says what it should, before it decides anything."""

from collections.abc import Iterator
from pathlib import Path

import cedarpy
import click

from edge.commands.intents import CONFIG
from edge.commands.policy_table import Report, Result, run
from edge.config import ConfigError, load_policy, load_room
from edge.decide.policy_text import PolicyError, parse
from edge.process.toml import read_text


@click.group()
def policy() -> None:
    """Check and try the policy: who may do what in the room."""


@policy.command()
@CONFIG
@click.option("--schema", type=click.Path(path_type=Path, dir_okay=False), help="Cedar schema.")
def check(config: Path, schema: Path | None) -> None:
    """Check the room's policy: it parses, every policy has a name, and it fits its schema."""
    path, text = _policy(config)
    schema = schema or beside(path)
    try:
        found = problems(text, schema)
    except ConfigError as error:
        raise click.ClickException(str(error)) from error
    if found:
        raise click.ClickException("\n".join(f"{path}: {problem}" for problem in found))
    effects = parse(text).effects
    forbids = sum(effect == "forbid" for effect in effects.values())
    click.echo(f"{path}: {len(effects) - forbids} permits and {forbids} forbids fit {schema.name}")


@policy.command()
@CONFIG
@click.argument("table", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--all", "everything", is_flag=True, help="Show the cases that are right, too.")
def test(config: Path, table: Path | None, everything: bool) -> None:
    """Try the room's policy on every case of TABLE (default: its .cases.toml); exit 1 if not so."""
    path, text = _policy(config)
    table = table or path.with_suffix(".cases.toml")
    try:
        report = run(text, table)
    except PolicyError as error:
        raise click.ClickException(f"{path}: {error}") from error
    except ConfigError as error:
        raise click.ClickException(str(error)) from error
    for line in _told(report, table, everything):
        click.echo(line)
    if report.wrong:
        raise SystemExit(1)


def beside(path: Path) -> Path:
    """Return where a policy's schema stands."""
    return path.with_suffix(".cedarschema")


def problems(text: str, schema: Path | None) -> list[str]:
    """Return what is wrong with a policy's text; ConfigError when there is no such schema."""
    try:
        parse(text)
    except PolicyError as error:
        return [str(error)]
    return [] if schema is None else list(misfits(text, read_text(schema)))


def misfits(text: str, schema: str) -> Iterator[str]:
    """Yield what does not fit the schema, each with the policy's own name."""
    result = cedarpy.validate_policies(text, schema)
    names = result.id_annotations_by_policy_id
    for error in result.errors:
        name = names.get(error.policy_id, "")
        said = error.error.removeprefix(f"for policy `{error.policy_id}`, ")
        yield f"{name}: {said}" if name else said


def _policy(config: Path) -> tuple[Path, str]:
    try:
        path = Path(load_room(config).policy.file)
        return path, load_policy(path)
    except ConfigError as error:
        raise click.ClickException(str(error)) from error


def _told(report: Report, table: Path, everything: bool) -> Iterator[str]:
    for result in report.results:
        if everything or not result.right:
            yield _line(result, table)
    right = len(report.results) - len(report.wrong)
    yield f"{table.name}: {right} of {len(report.results)} cases as expected"
    for rule in report.unused:
        yield click.style("no case ", fg="yellow") + f"is decided by {rule}"


def _line(result: Result, table: Path) -> str:
    case = result.case
    mark = click.style("ok  ", fg="green") if result.right else click.style("BAD ", fg="red")
    what = case.action or f"{case.actuator} = {case.value!r}"
    about = f"  ({case.why})" if case.why else ""
    line = f"{mark} {case.who:<18} {what:<32} {_said(result.allowed, result.by)}{about}"
    if result.right:
        return line
    expected = _said(case.expect == "permit", case.by)
    return f"{line}\n     expected {expected} ({table.name}:{result.line})"


def _said(allowed: bool, by: tuple[str, ...]) -> str:
    return f"{'permit' if allowed else 'deny'} by {', '.join(by) or 'nothing that permits it'}"
