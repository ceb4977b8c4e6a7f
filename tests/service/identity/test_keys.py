import asyncio
import threading

import pytest

from service.identity.key_set import KeySetError
from service.identity.keys import Keys
from service.refusals import KeysUnavailable
from tests.support.identities import elliptic, key_set
from tests.support.serving import LoopThread

FIRST = key_set(first=elliptic("first"))
BOTH = key_set(first=elliptic("first"), second=elliptic("second"))


class Issuer:
    """Gives the key set that it is told to, or an error, and counts how often it was asked."""

    def __init__(self, answer: bytes | Exception = FIRST) -> None:
        self.answer = answer
        self.asked = 0
        self.answers = threading.Event()
        self.answers.set()

    def fetch(self) -> bytes:
        self.asked += 1
        assert self.answers.wait(10)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Clock:
    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(issuer: Issuer, clock: Clock) -> Keys:
    return Keys(issuer.fetch, 300, 3600, again_seconds=10, clock=clock)


def knows(loop: LoopThread, keys: Keys, key_id: str) -> bool:
    return loop.run(keys.find(key_id, "ES256")) is not None


def test_before_the_first_fetch_nothing_can_be_told(loop: LoopThread, keys: Keys) -> None:
    with pytest.raises(KeysUnavailable):
        keys.current()
    with pytest.raises(KeysUnavailable):
        loop.run(keys.find("first", "ES256"))


def test_a_key_that_is_not_known_is_fetched_for(
    loop: LoopThread, keys: Keys, issuer: Issuer, clock: Clock
) -> None:
    loop.run(keys.renew())
    assert knows(loop, keys, "first")
    issuer.answer = BOTH
    assert not knows(loop, keys, "second")
    clock.seconds += 11
    assert knows(loop, keys, "second")
    assert issuer.asked == 2


def test_however_many_unknown_keys_are_named_one_fetch_is_made(
    loop: LoopThread, keys: Keys, issuer: Issuer, clock: Clock
) -> None:
    loop.run(keys.renew())
    clock.seconds += 11
    for number in range(50):
        assert not knows(loop, keys, f"none-{number}")
    assert issuer.asked == 2


def test_whoever_asks_meanwhile_waits_for_the_same_fetch(
    loop: LoopThread, keys: Keys, issuer: Issuer, clock: Clock
) -> None:
    loop.run(keys.renew())
    clock.seconds += 11
    issuer.answer = BOTH
    issuer.answers.clear()

    async def ask() -> list[object]:
        asking = [asyncio.create_task(keys.find("second", "ES256")) for _ in range(20)]
        # One gives up, which is nobody else's loss.
        await asyncio.sleep(0)
        asking.pop().cancel()
        await asyncio.sleep(0)
        issuer.answers.set()
        return await asyncio.gather(*asking)

    assert all(loop.run(ask()))
    assert issuer.asked == 2


def test_a_call_does_not_wait_for_an_issuer_that_hangs(
    loop: LoopThread, issuer: Issuer, clock: Clock
) -> None:
    keys = Keys(issuer.fetch, 300, 3600, again_seconds=10, call_seconds=0.01, clock=clock)
    loop.run(keys.renew())
    clock.seconds += 11
    issuer.answer = BOTH
    issuer.answers.clear()
    with pytest.raises(KeysUnavailable):
        loop.run(keys.find("second", "ES256"))
    # Whose key is known waits for nobody.
    assert knows(loop, keys, "first")
    issuer.answers.set()
    loop.run(keys.renew())
    assert knows(loop, keys, "second")
    assert issuer.asked == 2


@pytest.mark.parametrize(
    "trouble", [ConnectionRefusedError("away"), TimeoutError(), KeySetError("nonsense"), b"{}"]
)
def test_through_an_outage_the_last_keys_serve_until_they_are_too_old(
    loop: LoopThread, keys: Keys, issuer: Issuer, clock: Clock, trouble: Exception | bytes
) -> None:
    loop.run(keys.renew())
    issuer.answer = trouble
    clock.seconds += 3600
    loop.run(keys.renew())
    assert keys.trouble
    assert knows(loop, keys, "first")
    clock.seconds += 1
    with pytest.raises(KeysUnavailable):
        keys.current()
    issuer.answer = FIRST
    loop.run(keys.renew())
    assert not keys.trouble
    assert knows(loop, keys, "first")


def test_keys_that_have_not_changed_are_the_same_object(
    loop: LoopThread, keys: Keys, issuer: Issuer
) -> None:
    loop.run(keys.renew())
    before = keys.current()
    loop.run(keys.renew())
    assert keys.current() is before
    issuer.answer = BOTH
    loop.run(keys.renew())
    assert keys.current() is not before
