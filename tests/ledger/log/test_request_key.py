"""The key under which the log finds a request again."""

from __future__ import annotations

from ledger.log.contract import request_key

FIRST = "01a20cdf-de66-7b1a-862d-3f0f7a3d2c11"
A_MILLISECOND_LATER = "01a20cdf-de67-7000-8000-000000000000"


def test_keys_of_ids_made_in_order_of_time_are_in_that_order() -> None:
    digests = [digest("people/anna", FIRST), digest("people/anna", A_MILLISECOND_LATER)]
    assert digests == sorted(digests)
    assert digests[0][:6] == bytes.fromhex("01a20cdfde66")


def test_a_key_tells_principals_and_ids_apart() -> None:
    keys = {
        digest("people/anna", FIRST),
        digest("people/bela", FIRST),
        digest("people/anna", FIRST[:-1] + "2"),
        digest("people/annab", "1"),
        digest("people/anna", "b1"),
        digest("people/anna", ""),
    }
    assert len(keys) == 6
    assert {len(key) for key in keys} == {16}


def digest(principal: str, request_id: str) -> bytes:
    return request_key(principal, request_id, b"content").digest
