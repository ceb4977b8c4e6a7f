"""How the tree and what was signed of it are kept, grow and are read."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import and_, delete, exists, func, insert, inspect, select, update

from okr.proofs.checkpoint import Checkpoint
from okr.proofs.tree import HASH_BYTES
from projections.errors import LedgerContradicted, Overtaken
from projections.proofs.tables import (
    TABLES,
    checkpoints,
    epochs,
    guards,
    keys,
    proofs_file,
    reader,
    tiles,
    tree,
    writer,
)
from projections.proofs.tiles import WIDTH, Growth, Tile, Tiles
from projections.store.database import begin_alone, make_room, reads_told

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection, RowMapping, Select

    from ledger.log.contract import LogIdentity
    from ledger.log.database import Database


@dataclass(frozen=True, slots=True)
class Kept:
    """The tree as it is kept: its size and tail, the epoch it was made in, where it stopped."""

    epoch: int
    size: int
    tail: bytes
    stopped_position: int
    stopped_reason: str


class Signed(NamedTuple):
    """A checkpoint with the lines of its signatures, which may be none."""

    checkpoint: Checkpoint
    signatures: str

    @property
    def written(self) -> str:
        """The signed note."""
        return f"{self.checkpoint.text}\n{self.signatures}"


class TreeReading:
    """One state of the tree and of what was signed: all reads see it."""

    def __init__(self, connection: Connection, log_id: str, kept: Kept) -> None:
        self.kept = kept
        self.tiles = Tiles(kept.size, kept.tail, self._tile)
        self._connection = connection
        self._log_id = log_id

    def latest(self) -> Signed | None:
        """The newest checkpoint that counts; None if none was signed."""
        return self._one(_counted().order_by(checkpoints.c.size.desc(), checkpoints.c.epoch.desc()))

    def signed(self, size: int) -> Signed | None:
        """The checkpoint of a size; None if none of that size was signed, or it does not count."""
        query = _counted().where(checkpoints.c.size == size)
        return self._one(query.order_by(checkpoints.c.epoch.desc()))

    def signed_after(self, size: int, limit: int) -> list[Signed]:
        """The next checkpoints that count, of more than `size` events, in order of their sizes."""
        query = _counted().where(checkpoints.c.size > size)
        query = query.order_by(checkpoints.c.size, checkpoints.c.epoch).limit(limit)
        return [self._made(row) for row in self._connection.execute(query).mappings()]

    def verifiers(self) -> list[str]:
        """The keys that have signed, as text."""
        query = select(keys.c.verifier).order_by(keys.c.verifier)
        return list(self._connection.execute(query).scalars())

    def leaves(self, after: int, limit: int) -> Iterator[bytes]:
        """The hashes of up to `limit` leaves after the first `after`, in order."""
        end = min(after + limit, self.kept.size)
        for tile in range(after // WIDTH, -(-end // WIDTH)):
            hashes = self._tile(0, tile) if (tile + 1) * WIDTH <= self.kept.size else self.kept.tail
            for index in range(max(after, tile * WIDTH), min(end, (tile + 1) * WIDTH)):
                at = index % WIDTH * HASH_BYTES
                yield hashes[at : at + HASH_BYTES]

    def lost(self) -> int:
        """How many checkpoints do not count: they are of events that a restore has lost."""
        counted = select(func.count()).select_from(_counted().subquery())
        total = select(func.count()).select_from(checkpoints)
        return (
            self._connection.execute(total).scalar_one()
            - self._connection.execute(counted).scalar_one()
        )

    def _one(self, query: Select[tuple[object, ...]]) -> Signed | None:
        row = self._connection.execute(query.limit(1)).mappings().one_or_none()
        return None if row is None else self._made(row)

    def _made(self, row: RowMapping) -> Signed:
        stated = Checkpoint(self._log_id, row["epoch"], row["size"], row["root"])
        return Signed(stated, row["signatures"])

    def _tile(self, level: int, number: int) -> bytes:
        query = select(tiles.c.hashes).where(tiles.c.level == level, tiles.c.number == number)
        found: bytes | None = self._connection.execute(query).scalar_one_or_none()
        return found or b""


class ProofStore:
    """The tree of one log, in storage of its own beside it. Making one touches nothing."""

    def __init__(self, log: Database, log_id: str) -> None:
        self._log = log
        self._log_id = log_id
        self._writer = writer(log)
        self._reader = reader(log)

    def is_laid_out(self) -> bool:
        """Whether there is anything to read. Makes nothing.

        Raises:
            ReadModelsUnavailable: the database cannot be read now.
        """
        if not self._log.is_postgres and not proofs_file(self._log.file).exists():
            return False
        with reads_told(), self._reader.connect() as connection:
            return bool(inspect(connection).has_table(tree.name))

    def open(self, identity: LogIdentity, begun: Sequence[tuple[int, int]]) -> Kept:
        """The tree, made where there is none; an empty one again in a new epoch.

        `begun` are the log's epochs, each with how many events it began after.

        Raises:
            LedgerContradicted: the tree and what was signed are of another ledger.
        """
        self._lay_out()
        for epoch, size in begun:
            self.begin_epoch(epoch, size)
        with self._writer.begin() as connection:
            begin_alone(connection)
            self._require_ours(connection)
            kept = _tree(connection, self._log_id)
            if kept is None or kept.epoch != identity.epoch:
                kept = Kept(identity.epoch, 0, b"", 0, "")
                self._begin_anew(connection, kept.epoch)
        return kept

    def begin_epoch(self, epoch: int, size: int) -> None:
        """Keeps how many events the ledger had when an epoch began, unless that is kept already."""
        with self._writer.begin() as connection:
            begin_alone(connection)
            if not connection.execute(select(exists().where(epochs.c.epoch == epoch))).scalar():
                connection.execute(insert(epochs).values(epoch=epoch, size=size))

    def add_keys(self, verifiers: Sequence[str]) -> None:
        """Keeps the keys that sign from now on, as text."""
        with self._writer.begin() as connection:
            begin_alone(connection)
            there = set(connection.execute(select(keys.c.verifier)).scalars())
            for verifier in verifiers:
                if verifier not in there:
                    connection.execute(insert(keys).values(verifier=verifier))

    def adopt(self, signed: Sequence[Signed]) -> None:
        """Keeps checkpoints of this ledger that were kept elsewhere, as far as they are not here.

        Raises:
            LedgerContradicted: what is kept here is of another ledger.
        """
        self._lay_out()
        with self._writer.begin() as connection:
            begin_alone(connection)
            self._require_ours(connection)
            for (log_id, epoch, size, root), signatures in signed:
                there = and_(checkpoints.c.size == size, checkpoints.c.epoch == epoch)
                if (
                    log_id == self._log_id
                    and not connection.execute(select(exists().where(there))).scalar()
                ):
                    row = {"size": size, "epoch": epoch, "root": root, "signatures": signatures}
                    # When it was signed is told by nobody.
                    connection.execute(insert(checkpoints).values(**row, signed_us=0))

    def clear(self) -> None:
        """Has the tree begin anew; what was signed stays, and the new tree has to fit it."""
        with self._writer.begin() as connection:
            begin_alone(connection)
            kept = _tree(connection, self._log_id)
            if kept is not None:
                self._begin_anew(connection, kept.epoch)

    def extend(
        self,
        before: int,
        growth: Growth,
        full: Sequence[Tile],
        *,
        signed_us: int = 0,
        signed: Signed | None = None,
    ) -> None:
        """Keeps a tree that has grown from `before`, and a checkpoint of it, all or nothing.

        Raises:
            Overtaken: the kept tree is not of that size.
        """
        with self._writer.begin() as connection:
            grown = connection.execute(
                update(tree)
                .where(tree.c.log_id == self._log_id, tree.c.size == before)
                .values(size=growth.size, tail=growth.tail, stopped_position=0, stopped_reason="")
            )
            if grown.rowcount != 1:
                raise Overtaken(before)
            if full:
                rows = [tile._asdict() for tile in full]
                connection.execute(insert(tiles), rows)
            if signed is not None:
                stated = signed.checkpoint
                connection.execute(
                    insert(checkpoints).values(
                        size=stated.size,
                        epoch=stated.epoch,
                        root=stated.root,
                        signatures=signed.signatures,
                        signed_us=signed_us,
                    )
                )

    def stop(self, failure: LedgerContradicted) -> None:
        """Keeps where and why the tree stopped, for every process that reads."""
        with self._writer.begin() as connection:
            connection.execute(
                update(tree)
                .where(tree.c.log_id == self._log_id)
                .values(stopped_position=failure.position, stopped_reason=str(failure))
            )

    @contextmanager
    def reading(self) -> Iterator[TreeReading]:
        """Reads of one state, from any thread; the tree is empty where none is laid out.

        Raises:
            ReadModelsUnavailable: the database cannot be read now.
        """
        with reads_told(), self._reader.connect() as connection:
            kept = _tree(connection, self._log_id)
            yield TreeReading(connection, self._log_id, kept or Kept(0, 0, b"", 0, ""))

    def close(self) -> None:
        """Closes the connections that are not in use."""
        self._reader.dispose()
        self._writer.dispose()

    def _lay_out(self) -> None:
        with self._writer.begin() as connection:
            begin_alone(connection)
            make_room(connection)
            if not inspect(connection).has_table(tree.name):
                TABLES.create_all(connection)
                for statement in guards(connection.dialect.name):
                    connection.exec_driver_sql(statement)

    def _require_ours(self, connection: Connection) -> None:
        """Refuses what is kept of another ledger."""
        others = select(tree.c.log_id).where(tree.c.log_id != self._log_id)
        for other in connection.execute(others.limit(1)).scalars():
            raise LedgerContradicted(1, f"the proofs beside it are of ledger {other}")

    def _begin_anew(self, connection: Connection, epoch: int) -> None:
        connection.execute(delete(tree))
        connection.execute(delete(tiles))
        connection.execute(
            insert(tree).values(
                log_id=self._log_id,
                epoch=epoch,
                size=0,
                tail=b"",
                stopped_position=0,
                stopped_reason="",
            )
        )


def _tree(connection: Connection, log_id: str) -> Kept | None:
    row = connection.execute(
        select(
            tree.c.epoch, tree.c.size, tree.c.tail, tree.c.stopped_position, tree.c.stopped_reason
        ).where(tree.c.log_id == log_id)
    ).one_or_none()
    return Kept(*row) if row else None


def _counted() -> Select[tuple[object, ...]]:
    """The checkpoints whose events no restore has lost."""
    lost = exists().where(
        and_(epochs.c.epoch > checkpoints.c.epoch, epochs.c.size < checkpoints.c.size)
    )
    return select(*checkpoints.c).where(~lost)
