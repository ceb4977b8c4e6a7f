"""Answers with checkpoints and proofs, once a checkpoint covers what is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from ledger.call import CALL
from ledger.log.contract import LogReader
from ledger.log.errors import DeadlinePassed
from ledger.refusals import NotFound, invalid
from ledger.tokens import Tokens
from okr.proofs.tree import consistency, inclusion
from okr.v1 import audit_service_pb2 as api
from okr.v1.proofs_pb2 import Checkpoint, ConsistencyProof, InclusionProof
from projections.errors import PositionAhead, ProjectionStopped, ProofNotReady
from projections.proofs.store import ProofStore, Signed, TreeReading
from projections.proofs.tiles import TreeDamaged
from projections.reading import LONGEST_WAIT_SECONDS, Served
from projections.store.progress import Progress

Answer = TypeVar("Answer")

ANSWERED_BEFORE_SECONDS: Final = 0.1
"""How long before its deadline a call is told that no checkpoint covers what it waits for."""


@dataclass(frozen=True, slots=True)
class Prover:
    """Gives the proofs of one log. `progress` tells of the last event that a checkpoint covers."""

    log: LogReader
    store: ProofStore
    progress: Progress
    tokens: Tokens

    async def checkpoint(self, request: api.GetCheckpointRequest) -> api.GetCheckpointResponse:
        """Raises as `inclusion`; NotFound where no checkpoint of the size was signed."""
        size = request.size if request.HasField("size") else None
        covered = await self._covered(request, size or 0)

        def answer(reading: TreeReading) -> api.GetCheckpointResponse:
            signed = reading.latest() if size is None else reading.signed(size)
            if signed is None:
                raise NotFound(f"checkpoints/{size or 0}")
            return api.GetCheckpointResponse(
                checkpoint=_shown(signed),
                verifier_keys=reading.verifiers(),
                **self._served(signed.checkpoint.size),
            )

        return await self._read(covered, answer)

    async def inclusion(
        self, request: api.GetInclusionProofRequest
    ) -> api.GetInclusionProofResponse:
        """Proves that an event is in the ledger of a size, or of the latest checkpoint.

        Raises:
            Refusal: the sizes make no sense, or the ledger is not that long.
            ProofNotReady: no checkpoint covers them in time.
            ProjectionStopped: none will, because the ledger does not fit what was signed.
        """
        position = int(request.name.removeprefix("events/"))
        if request.HasField("size") and request.size < position:
            raise invalid("size", "too_small", f"event {position} is in no ledger that short")
        covered = await self._covered(request, max(position, request.size))

        def answer(reading: TreeReading) -> api.GetInclusionProofResponse:
            size, signed = _end(reading, request.size if request.HasField("size") else None)
            node = reading.tiles.node
            return api.GetInclusionProofResponse(
                proof=InclusionProof(
                    leaf_hash=reading.tiles.leaf(position - 1),
                    leaf_index=position - 1,
                    size=size,
                    hashes=inclusion(node, position - 1, size),
                ),
                checkpoint=_shown(signed),
                **self._served(size),
            )

        return await self._read(covered, answer)

    async def consistency(
        self, request: api.GetConsistencyProofRequest
    ) -> api.GetConsistencyProofResponse:
        """Proves that the ledger of one size begins that of another. Raises as `inclusion`."""
        first = request.first_size
        if request.HasField("second_size") and request.second_size < first:
            raise invalid("second_size", "too_small", "the later size is not below the first")
        covered = await self._covered(request, max(first, request.second_size))

        def answer(reading: TreeReading) -> api.GetConsistencyProofResponse:
            asked = request.second_size if request.HasField("second_size") else None
            second, signed = _end(reading, asked)
            hashes = consistency(reading.tiles.node, first, second)
            return api.GetConsistencyProofResponse(
                proof=ConsistencyProof(first_size=first, second_size=second, hashes=hashes),
                checkpoint=_shown(signed),
                **self._served(second),
            )

        return await self._read(covered, answer)

    async def _covered(
        self,
        request: api.GetCheckpointRequest
        | api.GetInclusionProofRequest
        | api.GetConsistencyProofRequest,
        position: int,
    ) -> int:
        """Waits until a checkpoint covers a position and what the request's token is of: both."""
        head = 0
        if position > self.progress.position or request.at_least_as_fresh:
            head = (await asyncio.to_thread(self.log.head)).position
        if position > max(head, self.progress.position):
            raise PositionAhead(position, head)
        wanted = max(position, self.tokens.position(request.at_least_as_fresh, head))
        call = CALL.get(None)
        patience = call.seconds_left(LONGEST_WAIT_SECONDS) if call else LONGEST_WAIT_SECONDS
        try:
            await self.progress.wait_for(wanted, max(0.0, patience - ANSWERED_BEFORE_SECONDS))
        except DeadlinePassed:
            raise ProofNotReady(wanted, max(0, self.progress.position)) from None
        return wanted

    async def _read(self, needed: int, answer: Callable[[TreeReading], Answer]) -> Answer:
        """Answers from a tree that has as many leaves as are needed.

        Raises:
            ProofNotReady: it has not.
            ProjectionStopped: the tree itself is damaged.
        """

        def read() -> Answer:
            with self.store.reading() as reading:
                if reading.kept.size < needed:
                    # The tree is being made anew.
                    raise ProofNotReady(needed, reading.kept.size)
                try:
                    return answer(reading)
                except TreeDamaged as error:
                    raise ProjectionStopped(self.progress.projection, needed) from error

        return await asyncio.to_thread(read)

    def _served(self, position: int) -> Served:
        return {"position": position, "token": self.tokens.token(position)}


def _end(reading: TreeReading, size: int | None) -> tuple[int, Signed | None]:
    """The size that a proof leads to, and the checkpoint of that size, if there is one."""
    signed = reading.latest() if size is None else reading.signed(size)
    if size is None:
        assert signed is not None, "one was waited for"
        size = signed.checkpoint.size
        if size > reading.kept.size:
            raise ProofNotReady(size, reading.kept.size)
    return size, signed


def _shown(signed: Signed | None) -> Checkpoint | None:
    if signed is None:
        return None
    stated = signed.checkpoint
    return Checkpoint(note=signed.written, size=stated.size, root=stated.root, epoch=stated.epoch)
