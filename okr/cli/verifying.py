"""`okr verify`: whether an export is what the ledger was, without the ledger."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from okr.cli import session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from okr.exports.checking import Checked
    from okr.proofs.checkpoint import Checkpoint
    from okr.proofs.note import VerifierKey


def verify(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE…",
            exists=True,
            dir_okay=False,
            help="An export; several are to go on where the one before ends.",
        ),
    ],
    *,
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="NOTES",
            exists=True,
            dir_okay=False,
            help="A file of checkpoints that you kept. May be given several times.",
        ),
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY",
            help="A key that signs checkpoints of the ledger, name+hash+base64: those that you "
            "kept have to be signed by it, and those in the file are looked for. May be given "
            "several times.",
        ),
    ] = None,
) -> None:
    """Check an export of a ledger: every part, every event, and every checkpoint that you kept.

    Needs nothing but the files. Damage and gaps are found by the file alone; that nobody has
    rewritten it, by a checkpoint that was kept elsewhere. The first event that is wrong is named.

    $ okr verify ledger.okr

    $ okr verify ledger.okr rest.okr --checkpoint kept.txt --key "okr-ledger/5f1c…+5b1e…+AQ…"
    """
    from okr.exports.checking import check
    from okr.exports.errors import ExportRefused
    from okr.proofs.note import NoteInvalid, VerifierKey

    try:
        keys = [VerifierKey.parse(each) for each in key or ()]
        kept = _kept(checkpoint or (), keys)
        with _progress() as progress:
            task = progress.add_task("", total=None)

            def tell(done: int, total: int) -> None:
                progress.update(task, completed=done, total=total)

            found = check(files, kept, keys, tell)
    except (ExportRefused, NoteInvalid, OSError) as refused:
        session.note(str(refused), "red", stderr=True)
        raise typer.Exit(session.REFUSED) from refused
    session.show(_told(found, len(kept), signed=bool(key)))


def _kept(files: Sequence[Path], keys: Sequence[VerifierKey]) -> list[Checkpoint]:
    """The checkpoints of the files.

    Raises:
        NoteInvalid: a file holds none, or one that no key has signed; with the file's name.
    """
    from okr.proofs.checkpoint import kept_in
    from okr.proofs.note import NoteInvalid

    found: list[Checkpoint] = []
    for file in files:
        try:
            kept = kept_in(file.read_text("utf-8", "replace"), keys)
        except NoteInvalid as invalid:
            raise NoteInvalid(f"{file}: {invalid}") from None
        found += kept.checkpoints
        if kept.cut_off:
            left_out = f"{file}: checkpoints cut off as they were written: {kept.cut_off}"
            session.note(left_out, "yellow", stderr=True)
    return found


def _progress() -> Progress:
    console = session.console(stderr=True)
    columns = (TextColumn("checking"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _told(found: Checked, checkpoints: int, *, signed: bool) -> Text:
    events = f"events {found.after_position + 1} to {found.position}"
    lines = [
        f"{events} of ledger {found.log_id}, epoch {found.epoch}: all in order",
        f"root {found.root.hex()} of {found.position} events",
    ]
    if found.checkpoints:
        lines.append(f"as {found.checkpoints} checkpoints in it say")
    if found.signed_position:
        lines.append(f"signed by a key that you gave up to event {found.signed_position}")
    if checkpoints:
        how = "signed by a key that you gave" if signed else "whose signatures were not looked at"
        lines.append(f"as {checkpoints} checkpoints that you kept say, {how}")
    if not checkpoints and not found.signed_position:
        lines.append(
            "held against nothing from elsewhere: whoever made the file may have rewritten events"
        )
    return Text("\n".join(lines))
