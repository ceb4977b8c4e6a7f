"""Checkpoints: what a ledger was, in a text that can be signed, kept and held against others.

    okr-ledger/5f1c0e9a-…       the origin: which ledger
    1742                        how many events it had
    CsUYapGGPo4dkMgIAUqom/…     the root of their tree, in base64
    epoch 1                     the generation of its history

Whoever keeps a checkpoint can have proven later that the ledger still begins as it did then.

Source: the C2SP specification of tree heads, https://c2sp.org/tlog-checkpoint, of which the epoch
is an extension line.
"""

from __future__ import annotations

import re
from base64 import b64encode
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from okr.proofs import note
from okr.proofs.note import NoteInvalid
from okr.proofs.tree import HASH_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from okr.proofs.note import Note, VerifierKey

ORIGIN: Final = "okr-ledger/"

_ORIGIN_LINE: Final = re.compile(f"^{ORIGIN}", re.MULTILINE)
_WHOLE: Final = re.compile(r"0|[1-9][0-9]{0,17}")


class Checkpoint(NamedTuple):
    """The tree of a log's first `size` events, in a generation of its history."""

    log_id: str
    epoch: int
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """What is signed; ends with the end of a line."""
        root = b64encode(self.root).decode()
        return f"{origin(self.log_id)}\n{self.size}\n{root}\nepoch {self.epoch}\n"


def origin(log_id: str) -> str:
    """What a ledger is called in its checkpoints, and what its keys are called."""
    return f"{ORIGIN}{log_id}"


def parsed(text: str) -> Checkpoint:
    """The checkpoint that a note's text states; lines that are not known are left alone.

    Raises:
        NoteInvalid: it states none.
    """
    first, size, root, *extension = [*text.split("\n")[:-1], "", "", ""][:64]
    hashed = note.decoded(root)
    epochs = [line.removeprefix("epoch ") for line in extension if line.startswith("epoch ")]
    if (
        not first.startswith(ORIGIN)
        or not _WHOLE.fullmatch(size)
        or len(hashed) != HASH_BYTES
        or len(epochs) != 1
        or not _WHOLE.fullmatch(epochs[0])
    ):
        raise NoteInvalid("this is no checkpoint of an okr-ledger")
    return Checkpoint(first.removeprefix(ORIGIN), int(epochs[0]), int(size), hashed)


def opened(written: str, keys: Iterable[VerifierKey]) -> tuple[Checkpoint, Note]:
    """The checkpoint of a note that at least one of these keys has signed, and the note.

    Raises:
        NoteInvalid: it is no such note.
    """
    found = note.parsed(written)
    stated = parsed(found.text)
    if not any(key.has_signed(found) for key in keys):
        raise NoteInvalid("no key that is known here has signed the checkpoint")
    return stated, found


class Kept(NamedTuple):
    """The checkpoints of a text, and how many more were cut off as they were written."""

    checkpoints: list[Checkpoint]
    cut_off: int


def notes_in(text: str) -> list[str]:
    """The notes of a text that has one after the other; one that was cut off is among them."""
    begins = [found.start() for found in _ORIGIN_LINE.finditer(text)]
    return [text[begin:end] for begin, end in pairwise([*begins, len(text)])]


def kept_in(text: str, keys: Sequence[VerifierKey] = ()) -> Kept:
    """The checkpoints of notes that stand one after the other, each signed by one of the keys.

    Without keys nobody's signature is looked at: whoever kept the notes answers for them.

    Raises:
        NoteInvalid: there is no checkpoint, or one is not right.
    """
    notes = notes_in(text)
    whole = [(number, each) for number, each in enumerate(notes, start=1) if "\n\n" in each]
    if not whole:
        raise NoteInvalid("it holds no checkpoints")
    return Kept([_stated(number, each, keys) for number, each in whole], len(notes) - len(whole))


def _stated(number: int, written: str, keys: Sequence[VerifierKey]) -> Checkpoint:
    try:
        if keys:
            return opened(written, keys)[0]
        return parsed(note.parsed(written).text)
    except NoteInvalid as invalid:
        raise NoteInvalid(f"checkpoint {number}: {invalid}") from None
