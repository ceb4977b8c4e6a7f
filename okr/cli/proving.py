"""`okr checkpoint` and `okr prove`: what the ledger was, held on to and proven."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf.any_pb2 import Any as AnyMessage
from rich.console import Group
from rich.text import Text

from okr.cli import session
from okr.cli.show import ledger
from okr.proofs.checkpoint import Checkpoint
from okr.proofs.note import NoteInvalid, VerifierKey
from okr.v1.event_record_pb2 import EventMetadata
from okr.witness import CheckpointFile, LedgerRewritten, Witness, file_of

KeptIn = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Where the last checkpoint seen is held.",
        show_default="in the user's folder for state, by the service's address",
    ),
]
Keys = Annotated[
    list[str] | None,
    typer.Option(
        "--key",
        metavar="KEY",
        help="A key whose signature counts, name+hash+base64. May be given several times.",
        show_default="those of the first checkpoint seen",
    ),
]


def checkpoint(
    *,
    kept_in: KeptIn = None,
    key: Keys = None,
    forget: Annotated[
        bool,
        typer.Option(
            "--forget", help="Let go of what is held: after a restore that its operators confirm."
        ),
    ] = False,
) -> None:
    """Take the latest checkpoint of the ledger, and hold it against the last one seen.

    Fails loudly if the ledger no longer begins as it did then: if events were changed or removed.
    Run it from time to time, on a machine of your own; what is held there nobody can rewrite.
    """
    if forget:
        _file(kept_in).path.unlink(missing_ok=True)
    with _witness(kept_in, key) as witness:
        session.show(_told(witness.look(), _file(kept_in)))


def prove(
    event: Annotated[
        int, typer.Argument(metavar="EVENT", min=1, help="The event's position, for example 1742.")
    ],
    *,
    kept_in: KeptIn = None,
    key: Keys = None,
) -> None:
    """Prove that an event is in the ledger, as it was hashed, from its stored bytes.

    What is shown is decoded here from the bytes that are proven. Fails loudly if it is not so.
    """
    with _witness(kept_in, key) as witness:
        found, stated = witness.prove(event)
    found.decoded_metadata.MergeFrom(EventMetadata.FromString(found.metadata))
    kind = f"type.googleapis.com/{found.header.event_type}"
    found.decoded_payload.CopyFrom(AnyMessage(type_url=kind, value=found.payload))
    proven = Text(f"event {event} is one of the {stated.size} of the checkpoint", "green")
    session.show(Group(ledger.events([found]), proven, _told(stated, _file(kept_in))))


@contextmanager
def _witness(kept_in: Path | None, keys: list[str] | None) -> Iterator[Witness]:
    """A witness; what it fails with is told on standard error and ends the run.

    Raises:
        typer.Exit: the ledger was rewritten, or a call failed.
    """
    try:
        known = [VerifierKey.parse(key) for key in keys or ()]
    except NoteInvalid as error:
        raise typer.BadParameter(str(error)) from None
    with session.connected() as okr:
        try:
            yield Witness(okr.audit, _file(kept_in), known)
        except (LedgerRewritten, NoteInvalid, OSError) as error:
            session.note(str(error), "bold red", stderr=True)
            raise typer.Exit(session.REFUSED) from error


def _file(kept_in: Path | None) -> CheckpointFile:
    return CheckpointFile(kept_in) if kept_in else file_of(session.settings.get().address)


def _told(stated: Checkpoint, file: CheckpointFile) -> Text:
    held = file.held()
    signers = ", ".join(str(key) for key in held.keys) if held else ""
    return Text(
        f"{stated.size} events of ledger {stated.log_id}, epoch {stated.epoch}\n"
        f"root {stated.root.hex()}\n"
        f"{f'signed, of these keys that count: {signers}' if signers else 'signed by nobody'}\n"
        f"held in {file.path}"
    )
