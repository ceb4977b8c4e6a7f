"""What proofs cost: the tree for each event, and a proof from trees of three sizes."""

import random
import statistics
import time
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rich.progress import Progress

from benchmarks.history import Shape, write_ledger
from ledger.log.clock import now_us
from ledger.log.contract import LogIdentity
from ledger.log.database import Database
from ledger.log.opening import open_log
from okr.proofs.checkpoint import origin
from okr.proofs.leaf import Leaves
from okr.proofs.note import SigningKey
from okr.proofs.tree import HASH_BYTES, includes, inclusion, root
from projections.proofs.keeper import BATCH, Keeper
from projections.proofs.store import ProofStore
from projections.proofs.tiles import Growth
from projections.store.progress import Progress as Reached

SIZES: Final = {1_000: "1k", 100_000: "100k", 1_000_000: "1m"}
QUICK_SIZES: Final = {1_000: "1k"}
HISTORY: Final = Shape(quarters=10, events_each=10_000)
QUICK_HISTORY: Final = Shape(quarters=1, events_each=10_000)
PROOFS: Final = 500
"""Proofs of each size, of events that are drawn."""
SEED: Final = 25


def measure_proofs(place: Path, progress: Progress, *, quick: bool) -> dict[str, float]:
    """On SQLite; times of proofs are medians.

    `proofs_event_us` is the processor time of following, with the log's own reads, and
    `proofs_hash_us` that of encoding and hashing alone.
    """
    place.mkdir()
    history = QUICK_HISTORY if quick else HISTORY
    figures = _following(place, history, progress)
    for size, name in (QUICK_SIZES if quick else SIZES).items():
        (place / name).mkdir()
        figures |= _proving(Database(f"sqlite:///{place / name / 'okr-ledger.db'}"), size, name)
    return figures


def _following(place: Path, history: Shape, progress: Progress) -> dict[str, float]:
    database = Database(f"sqlite:///{place.resolve() / 'okr-ledger.db'}")
    events = history.quarters * history.events_each
    task = progress.add_task(f"history of {events:,} events", total=events)
    write_ledger(database, history, lambda n: progress.update(task, completed=n))
    with closing(open_log(database, read_only=True)) as log:
        head, log_id = log.head().position, log.identity().log_id
        records = log.read(0, BATCH)
        leaves, growth = Leaves(log_id), Growth()
        began = time.process_time()
        for record in records:
            growth.append(leaves.hash(record))
        hashing = time.process_time() - began
        key = SigningKey(origin(log_id), Ed25519PrivateKey.generate())
        with closing(ProofStore(database, log_id)) as store:
            began = time.process_time()
            Keeper(log, store, Reached("proofs"), [key], now_us).catch_up()
            following = time.process_time() - began
    return {
        "proofs_hash_us": hashing / len(records) * 1e6,
        "proofs_event_us": following / head * 1e6,
    }


def _proving(database: Database, size: int, name: str) -> dict[str, float]:
    identity, chance = LogIdentity("6a4b0f6e-6e0b-4c39-9d0a-0d7c3e0b8a11", 1), random.Random(SEED)
    with closing(ProofStore(database, identity.log_id)) as store:
        store.open(identity, [(1, 0)])
        growth = Growth()
        while growth.size < size:
            before = growth.size
            for number in range(before, min(before + BATCH, size)):
                growth.append(_leaf(number))
            store.extend(before, growth, growth.taken())
        began = time.perf_counter()
        with store.reading() as reading:
            Growth(reading.kept.size, reading.kept.tail)
            expected = root(reading.tiles.node, size)
        opening = time.perf_counter() - began
        indexes = [chance.randrange(size) for _ in range(PROOFS)]
        proofs: dict[int, list[bytes]] = {}

        def prove(index: int) -> None:
            with store.reading() as reading:
                proofs[index] = inclusion(reading.tiles.node, index, size)

        proving = _median_us(prove, indexes)

        def verify(index: int) -> None:
            assert includes(_leaf(index), index, size, proofs[index], expected)

        verifying = _median_us(verify, indexes)
    hashes = max(map(len, proofs.values()))
    return {
        f"proof_{name}_hashes": float(hashes),
        f"proof_{name}_bytes": float(hashes * HASH_BYTES),
        f"proof_{name}_us": proving,
        f"proof_{name}_verify_us": verifying,
        f"proof_{name}_open_ms": opening * 1e3,
    }


def _leaf(number: int) -> bytes:
    return sha256(number.to_bytes(8, "big")).digest()


def _median_us(work: Callable[[int], None], indexes: list[int]) -> float:
    times = []
    for index in indexes:
        began = time.perf_counter()
        work(index)
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e6
