"""Appends to a log for ever and says after each batch which requests are durable."""

from __future__ import annotations

import sys
from pathlib import Path

from ledger.log.contract import Accepted
from ledger.log.sqlite.recorder import open_log
from tests.contract.builders import append


def main(file: Path, run: str) -> None:
    log = open_log(file)
    number = 0
    while True:
        ids = [f"{run}-{number + i}" for i in range(8)]
        # Two streams each, so that half an append would show.
        batch = [append(f"teams/{i}", f"cycles/{i}", request=i) for i in ids]
        assert all(isinstance(outcome, Accepted) for outcome in log.append_batch(batch, number))
        number += 8
        sys.stdout.write(" ".join(ids) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
