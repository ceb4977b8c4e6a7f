"""Holds on to what a ledger was, and holds every later checkpoint against it.

```python
from pathlib import Path
from okr import OkrClient
from okr.witness import CheckpointFile, Witness

with OkrClient("127.0.0.1:50051") as okr:
    seen = Witness(okr.audit, CheckpointFile(Path("ledger.checkpoint"))).look()
    print(seen.size, seen.root.hex())
```
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import quote

from okr.errors import OkrError
from okr.proofs import checkpoint, note
from okr.proofs.checkpoint import Checkpoint
from okr.proofs.leaf import Leaves, told
from okr.proofs.note import Note, NoteInvalid, VerifierKey
from okr.proofs.tree import includes, is_consistent
from okr.v1.audit_service_pb2 import (
    GetCheckpointRequest,
    GetCheckpointResponse,
    GetConsistencyProofRequest,
    GetConsistencyProofResponse,
    GetEventRequest,
    GetEventResponse,
    GetInclusionProofRequest,
    GetInclusionProofResponse,
)
from okr.v1.event_record_pb2 import Event


@dataclass(eq=False)
class LedgerRewritten(Exception):
    """The ledger is not what it was; `held` is what is held of it, None if nothing was.

    Whoever keeps the ledger has changed or removed events, or shows different ledgers to different
    callers; or a restore has lost some, which its operators know.
    """

    held: Checkpoint | None
    reason: str

    def __str__(self) -> str:
        return f"the ledger was rewritten: {self.reason}"


class Held(NamedTuple):
    """What a caller holds of a ledger: a signed note, and the keys whose signatures count."""

    note: str
    keys: tuple[VerifierKey, ...]


class Audit(Protocol):
    """The methods that a witness calls, of `OkrClient.audit` or of a stub."""

    def GetCheckpoint(self, request: GetCheckpointRequest, /) -> GetCheckpointResponse: ...  # noqa: N802

    def GetConsistencyProof(  # noqa: N802
        self, request: GetConsistencyProofRequest, /
    ) -> GetConsistencyProofResponse: ...

    def GetInclusionProof(  # noqa: N802
        self, request: GetInclusionProofRequest, /
    ) -> GetInclusionProofResponse: ...

    def GetEvent(self, request: GetEventRequest, /) -> GetEventResponse: ...  # noqa: N802


class CheckpointFile:
    """A file that holds the last checkpoint seen of one ledger."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def held(self) -> Held | None:
        """What is held, None before the first checkpoint.

        Raises:
            NoteInvalid: the file is not one of these.
            OSError: it cannot be read.
        """
        if not self.path.exists():
            return None
        try:
            found = json.loads(self.path.read_text("utf-8"))
            return Held(found["note"], tuple(map(VerifierKey.parse, found["keys"])))
        except (ValueError, KeyError, TypeError):
            raise NoteInvalid(f"{self.path} does not hold a checkpoint") from None

    def hold(self, held: Held) -> None:
        """Puts another checkpoint in the place of the one that is held."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        written = json.dumps({"note": held.note, "keys": [str(key) for key in held.keys]})
        beside = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        beside.write_text(written, "utf-8")
        beside.replace(self.path)


def file_of(address: str) -> CheckpointFile:
    """The file of the ledger at an address, in the user's folder for state.

    By the address and not by the ledger's own id, so that another ledger in its place is noticed.
    """
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return CheckpointFile(Path(state) / "okr-ledger" / f"{quote(address, safe='')}.checkpoint")


class Witness:
    """Looks at a ledger's checkpoints, and refuses one that does not fit what is held.

    `keys` are those whose signatures count. Without any, the keys of the first checkpoint do, and
    those that sign beside them later: trust on first use.
    """

    def __init__(
        self, audit: Audit, file: CheckpointFile, keys: Sequence[VerifierKey] = ()
    ) -> None:
        self._audit = audit
        self._file = file
        self._keys = tuple(keys)

    def look(self) -> Checkpoint:
        """The latest checkpoint, now held; the ledger still begins as the one held before.

        Raises:
            LedgerRewritten: it does not, or nobody that counts has signed it.
            NoteInvalid: what the service or the file gives is no checkpoint.
            OkrError: a call failed.
        """
        answer = self._audit.GetCheckpoint(GetCheckpointRequest())
        found = note.parsed(answer.checkpoint.note)
        stated = checkpoint.parsed(found.text)
        before = self._file.held()
        held = checkpoint.parsed(note.parsed(before.note).text) if before else None
        keys = self._counting(found, before, held, answer.verifier_keys)
        if held is not None and stated.size < held.size:
            # A server that is behind; the ledger has to hold what another one has shown.
            self._require_beginning(held, stated, held)
            return held
        if held is not None:
            self._require_beginning(held, held, stated)
        self._file.hold(Held(answer.checkpoint.note, keys))
        return stated

    def prove(self, position: int) -> tuple[Event, Checkpoint]:
        """An event that is proven to be in the ledger of the checkpoint that is held now.

        Its `metadata` and `payload` are proven; what the service has decoded of them is left out.

        Raises:
            LedgerRewritten: it is not in it, or as `look`.
            OkrError: a call failed.
        """
        name = f"events/{position}"
        # Waits until a checkpoint covers the event.
        covered = self._audit.GetInclusionProof(GetInclusionProofRequest(name=name))
        stated = self.look()
        request = GetInclusionProofRequest(name=name, size=stated.size)
        proof = self._audit.GetInclusionProof(request).proof
        asked = GetEventRequest(name=name, at_least_as_fresh=covered.token)
        event = self._audit.GetEvent(asked).event
        event.ClearField("decoded_metadata")
        event.ClearField("decoded_payload")
        leaf = Leaves(stated.log_id).hash(told(event))
        if event.header.position != position or not includes(
            leaf, position - 1, stated.size, proof.hashes, stated.root
        ):
            reason = f"event {position} is not in the ledger of {stated.size} events"
            raise LedgerRewritten(stated, reason)
        return event, stated

    def _counting(
        self,
        found: Note,
        before: Held | None,
        held: Checkpoint | None,
        offered: Iterable[str],
    ) -> tuple[VerifierKey, ...]:
        """The keys that count from now on: those known, and those that have signed beside them."""
        known = self._keys or (before.keys if before else ())
        if known and not any(key.has_signed(found) for key in known):
            raise LedgerRewritten(held, "no key that counts has signed its checkpoint")
        if self._keys:
            return self._keys
        also = (key for key in map(VerifierKey.parse, offered) if key.has_signed(found))
        return tuple(dict.fromkeys((*known, *also)))

    def _require_beginning(self, held: Checkpoint, first: Checkpoint, second: Checkpoint) -> None:
        """The first of two ledgers has to be the beginning of the second."""
        if first.log_id != second.log_id:
            raise LedgerRewritten(held, f"another ledger is in the place of {held.log_id}")
        request = GetConsistencyProofRequest(first_size=first.size, second_size=second.size)
        try:
            proof = self._audit.GetConsistencyProof(request).proof
        except OkrError as error:
            if error.reason != "POSITION_AHEAD":
                raise
            reason = f"it had {second.size} events, and has {error.metadata.get('head', 'fewer')}"
            raise LedgerRewritten(held, reason + _of_epochs(first, second)) from error
        if not is_consistent(first.size, first.root, second.size, second.root, proof.hashes):
            reason = f"its first {first.size} events are not what they were"
            raise LedgerRewritten(held, reason + _of_epochs(first, second))


def _of_epochs(one: Checkpoint, other: Checkpoint) -> str:
    if one.epoch == other.epoch:
        return ""
    return "; a new epoch has begun, so a restore may have lost events: its operators know"
