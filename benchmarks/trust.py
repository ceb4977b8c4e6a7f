"""What trust costs an append: callers that are known, and a ledger that can prove itself."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import grpc

from benchmarks.append import Rounds
from benchmarks.credentials import make_credentials
from benchmarks.driver import Driver
from benchmarks.load_process import Load
from benchmarks.outcomes import LoadReport
from benchmarks.quarter import commit_quarter, settle
from benchmarks.servers import Server, start_ledger


def measure_trust(driver: Driver, rounds: Rounds, place: Path) -> dict[str, float]:
    """Rates of durable check-ins on three servers, each with a quarter of its own, in rounds.

    `auth_cost` is the rate with TLS, a token on each call and policies over that without;
    `proof_cost` the rate with the Merkle tree kept over that without it.
    """
    place.mkdir()
    credentials = make_credentials(place / "credentials")
    with (
        start_ledger(place / "open", name="open") as as_it_comes,
        start_ledger(place / "bare", name="no proofs", settings={"OKR_PROOFS": "off"}) as bare,
        start_ledger(place / "known", name="known callers", credentials=credentials) as known,
        as_it_comes.channel() as its_channel,
        bare.channel() as bare_channel,
        known.channel() as known_channel,
    ):
        loaded = ((as_it_comes, its_channel), (bare, bare_channel), (known, known_channel))
        for _, channel in loaded:
            commit_quarter(channel, datetime.now(UTC).date())
        rounds_of = [
            [_loaded(driver, *each, number, rounds) for each in loaded]
            for number in range(1, rounds.count + 1)
        ]
    open_rate, bare_rate, known_rate = map(_rate, zip(*rounds_of, strict=True))
    return {
        "trust_open_rate": open_rate,
        "trust_no_proofs_rate": bare_rate,
        "trust_known_rate": known_rate,
        "auth_cost": known_rate / open_rate,
        "proof_cost": open_rate / bare_rate,
    }


def _loaded(
    driver: Driver, server: Server, channel: grpc.Channel, number: int, rounds: Rounds
) -> LoadReport:
    title = f"trust, round {number} of {rounds.count}"
    report = driver.drive(server, title, Load(rounds.seconds))
    settle(channel)
    return report


def _rate(reports: Sequence[LoadReport]) -> float:
    return sum(each.rate * each.seconds for each in reports) / sum(each.seconds for each in reports)
