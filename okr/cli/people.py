"""`okr people`: who acts and owns, under pseudonyms."""

from __future__ import annotations

from typing import Annotated

import typer

from okr.cli import options, session
from okr.cli.as_of import instants
from okr.cli.reading import merged
from okr.cli.show import plan
from okr.cli.typers import group
from okr.cli.writing import circumstances
from okr.pages import pages
from okr.v1.ledger_service_pb2 import ErasePersonRequest, RegisterPersonRequest
from okr.v1.score_service_pb2 import GetPersonRequest, ListPeopleRequest

app = group("People act and own under pseudonyms; the names to show of them can be erased.")

PersonName = Annotated[
    str, typer.Argument(metavar="PERSON", help="people/ID, or just ID.", show_default=False)
]


@app.command()
def register(
    display_name: Annotated[str, typer.Argument(metavar="DISPLAY-NAME")],
    *,
    own_id: options.Id = "",
    request_id: options.RequestId = "",
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Register a person. Leave the id to the server: it stays for ever and must not be a name.

    $ okr people register "Nagy Anna"
    """
    request = circumstances(
        RegisterPersonRequest(person_id=own_id, display_name=display_name),
        request_id=request_id,
        dry_run=dry_run,
    )
    with session.connected() as okr:
        answer = okr.ledger.RegisterPerson(request)
        shown = plan.people([answer.person])
        session.written(okr, answer, shown, as_json=as_json, dry_run=dry_run)


@app.command()
def erase(
    person: Annotated[
        str,
        typer.Argument(
            metavar="PERSON",
            help="people/ID, or any other name as somebody was given.",
            show_default=False,
        ),
    ],
    *,
    successor: Annotated[
        str, typer.Option(metavar="PERSON", help="Who answers from now on for what they owned.")
    ] = "",
    reason: options.Reason = "",
    request_id: options.RequestId = "",
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Erase what the ledger keeps of a person, for good. The reason is kept: name nobody in it.

    $ okr people erase people/k7q2m4 --successor people/b3x9f1
    """
    request = circumstances(
        ErasePersonRequest(name=person, successor=_named(successor) if successor else ""),
        reason=reason,
        request_id=request_id,
        dry_run=dry_run,
    )
    with session.connected() as okr:
        answer = okr.ledger.ErasePerson(request)
        shown = plan.people([answer.person])
        session.written(okr, answer, shown, as_json=as_json, dry_run=dry_run)


@app.command()
def show(person: PersonName, as_json: options.Json = False) -> None:
    """Show a person."""
    with session.connected() as okr:
        answer = okr.scores.GetPerson(GetPersonRequest(name=_named(person)))
        session.answer(answer, plan.people([answer.person]), as_json=as_json)


@app.command("list")
def list_all(
    as_of: options.AsOfText = "",
    known_at: options.KnownAt = "",
    effective_at: options.EffectiveAt = "",
    as_json: options.Json = False,
) -> None:
    """List the registered people, the erased ones too."""
    request = ListPeopleRequest(as_of=instants(as_of, known_at, effective_at), page_size=1000)
    with session.connected() as okr:
        answer = merged(pages(okr.scores.ListPeople, request))
        session.answer(answer, plan.people(answer.people), as_json=as_json)


def _named(person: str) -> str:
    return person if "/" in person else f"people/{person}"
