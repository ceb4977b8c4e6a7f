"""`okr-ledger policy`: who may do what, and why."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer
from rich.markup import escape
from rich.table import Table

from ledger.log.opening import open_log
from ledger.texts.finding import keys_at_hand
from service.access.deciding import Holder, decide
from service.access.directory import Directory
from service.access.explaining import weighed
from service.access.policies import PolicyFiles, policies, shipped
from service.access.resources import ANY, TOP, Resource, subject_of, unknown
from service.access.roles import NO_GRANTS, Role, RolesFile, role_of
from service.access.rules import ACT_FOR, RULES, SEE
from service.access.schema import schema_text
from service.access.upkeep import Upkeep
from service.cli.options import DatabaseSchema, DatabaseUrl, KeysUrl, PolicyPath
from service.cli.options import RolesFile as RolesFileOption
from service.cli.output import console, failures_told
from service.logging import logs
from service.settings import Settings, SettingsError

if TYPE_CHECKING:
    from service.access.policies import Policies

app = typer.Typer(no_args_is_help=True)


@app.callback()
def policy() -> None:
    """Look into who may do what."""


@app.command()
def show(
    *,
    schema: Annotated[
        bool, typer.Option("--schema", help="The schema that policies have to fit, instead.")
    ] = False,
) -> None:
    """Print the policies that are shipped."""
    typer.echo(schema_text() if schema else shipped().text, nl=False)


@app.command()
def validate(
    path: Annotated[Path, typer.Argument(help="A file of policies, or a folder of files *.cedar.")],
) -> None:
    """Tell whether policies can be put beside those that are shipped.

    Ends with exit code 1 if they cannot.
    """
    with failures_told():
        own = PolicyFiles(path).value
    count = len(own.ids) - len(policies().ids)
    console().print(f"{count} policies, which fit the schema and the shipped ones")


@app.command()
def check(
    *,
    principal: Annotated[str, typer.Option(help="people/ID or services/ID.")],
    role: Annotated[
        list[str] | None,
        typer.Option(help="A role of their credential, ROLE or ROLE:teams/ID; may be repeated."),
    ] = None,
    action: Annotated[
        str, typer.Option(help=f"A method such as RecordCheckIn, or {SEE} or {ACT_FOR}.")
    ],
    resource: Annotated[str, typer.Option(help="A name; none means the whole ledger.")] = "",
    policy_path: PolicyPath = None,
    roles_file: RolesFileOption = None,
    database_url: DatabaseUrl = None,
    database_schema: DatabaseSchema = None,
    keys_url: KeysUrl = None,
) -> None:
    """Tell whether somebody may do something now, and why.

    Only reads the ledger, so it may run beside the server. What a request needs beside its own
    action, as an adjustment does for each of its changes, is to be asked for by itself. Ends with
    exit code 1 if it is not permitted.
    """
    with failures_told(), logs("auto", "warning"):
        settings = Settings.read(
            database_url=database_url,
            database_schema=database_schema,
            keys_url=keys_url,
            policy_path=policy_path,
            roles_file=roles_file,
        )
        action = action.rpartition("/")[2]
        if action not in RULES and action not in (SEE, ACT_FOR):
            raise SettingsError(f"--action: there is no {action!r}")
        if subject_of(principal).name != principal or not principal.startswith(
            ("people/", "services/")
        ):
            raise SettingsError(f"--principal: {principal!r} is neither people/ID nor services/ID")
        own = PolicyFiles(settings.policy_path).value if settings.policy_path else policies()
        grants = RolesFile(settings.roles_file).value if settings.roles_file else NO_GRANTS
        held = sorted({*_given(role or ()), *grants.of(principal)})
        directory = asyncio.run(_directory(settings))
    holder = Holder(principal, tuple(held), authenticated=True)
    found = directory.find(subject_of(resource)) or unknown(subject_of(resource).kind)
    _tell(own, directory, _Question(holder, action, found, resource))


def _given(roles: list[str] | tuple[()]) -> list[Role]:
    found = {text: role_of(text) for text in roles}
    for text, role in found.items():
        if role is None:
            raise SettingsError(f"--role: {text!r} is neither ROLE nor ROLE:teams/ID")
    return [role for role in found.values() if role is not None]


async def _directory(settings: Settings) -> Directory:
    """What the ledger says now."""
    with (
        closing(open_log(settings.database, read_only=True)) as ledger,
        keys_at_hand(settings.database, ledger),
    ):
        directory = Directory()
        await Upkeep(ledger, directory).catch_up()
        return directory


class _Question(NamedTuple):
    """What is asked, and the name that it was asked by."""

    holder: Holder
    action: str
    of: Resource
    name: str


def _tell(own: Policies, directory: Directory, question: _Question) -> None:
    holder, action, of, name = question
    decision = decide(own, directory.chain, holder, action, of)
    output = console()
    output.print("permitted" if decision.permitted else "not permitted")
    table = Table(show_header=False)
    table.add_row("who", holder.name)
    for held in holder.roles:
        holds = held.scope == TOP or held.scope in directory.chain(of.team)
        table.add_row("role", f"{held}, {'holds' if holds else 'does not hold'} for this")
    table.add_row("action", action)
    table.add_row(of.kind, escape(_chain(directory, of, name)))
    if of.owner:
        table.add_row("owner", of.owner)
    if of.private:
        table.add_row("visibility", "private to its team")
    for each in weighed(own, directory.chain, holder, action, of):
        effect = "forbids" if each.forbids else "permits"
        told = effect if each.holds else f"would {effect[:-1]}, but its conditions do not hold"
        table.add_row(f"policy {each.policy}", told)
    output.print(table)
    if not decision.permitted and not decision.policies:
        output.print("no policy permits it")
    raise typer.Exit(0 if decision.permitted else 1)


def _chain(directory: Directory, of: Resource, name: str) -> str:
    """A thing and the teams that it is in."""
    if ANY in of.name.split("/"):
        return f"{name}, which does not exist"
    return " in ".join([name or of.name, *directory.chain(of.team)])
