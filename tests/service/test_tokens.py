from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import date

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ledger.tokens import (
    _PAGE,
    LARGEST,
    LATEST_US,
    Page,
    PageTokenInvalid,
    TokenForeign,
    TokenLost,
    Tokens,
    _query,
)
from okr.v1.score_service_pb2 import ListObjectivesRequest, ListTeamsRequest

LOG_ID = "8f14e45f-ceea-467f-9575-0f0d1a7b3c52"
OTHER_LOG_ID = "c9f0f895-fb98-4b91-99d3-02b1c5f8a1aa"
HEAD = 2**63
POSITIONS = st.integers(0, 2**63 - 1)
PAGES = st.builds(
    Page,
    position=POSITIONS,
    us=st.integers(0, LATEST_US),
    effective_day=st.none() | st.dates(),
    after=st.lists(st.integers(-LARGEST, LARGEST) | st.text(max_size=40), max_size=3).map(tuple),
)

tokens = Tokens(LOG_ID, 1)


@pytest.mark.parametrize(
    "after",
    [
        b"5",
        b"{",
        b"\xff",
        b'{"a":1}',
        b"[null]",
        b"[9223372036854775808]",
        b"[[1]]",
        b"[1.5]",
        b"[" * 50_000,
        b"",
    ],
)
@pytest.mark.parametrize("day", [0, 2**31 - 1, 2**32 - 1])
def test_a_page_token_that_somebody_made_who_knows_the_logs_id_is_refused(
    after: bytes, day: int
) -> None:
    genuine = tokens.page_token(ListTeamsRequest(), Page(1, 1, None, ()))
    form = urlsafe_b64decode(genuine + "=" * (-len(genuine) % 4))[0]
    forged = _made(form, 1, day, after)
    with pytest.raises(PageTokenInvalid):
        tokens.page(ListTeamsRequest(), forged, HEAD)


def _made(form: int, position: int, day: int, after: bytes) -> str:
    """A page token as the ledger itself would seal it, whatever it holds."""
    body = _PAGE.pack(form, 1, position, 1, day) + after
    sealed = body + tokens._checksum(body + _query(ListTeamsRequest()))
    return urlsafe_b64encode(sealed).rstrip(b"=").decode()


@given(POSITIONS)
def test_a_token_gives_its_position_back(position: int) -> None:
    token = tokens.token(position)
    assert tokens.position(token, head=position) == position
    assert len(token) == 28
    assert token.isascii()


def test_an_empty_token_asks_for_nothing() -> None:
    assert tokens.position("", head=0) == 0


@given(POSITIONS, st.integers(0, 27), st.characters())
def test_a_damaged_token_is_refused(position: int, at: int, put: str) -> None:
    token = tokens.token(position)
    assume(token[at] != put)
    with pytest.raises(TokenForeign):
        tokens.position(token[:at] + put + token[at + 1 :], head=2**63)


@given(st.text(max_size=200))
def test_any_other_text_is_refused(text: str) -> None:
    assume(text)
    with pytest.raises(TokenForeign):
        tokens.position(text, head=2**63)


def test_a_token_with_blanks_in_it_is_refused() -> None:
    token = tokens.token(7)
    with pytest.raises(TokenForeign):
        tokens.position(f"{token[:5]}\n{token[5:]}", head=7)


def test_a_token_of_another_ledger_is_refused() -> None:
    with pytest.raises(TokenForeign):
        Tokens(OTHER_LOG_ID, 1).position(tokens.token(7), head=7)


def test_a_token_beyond_the_head_is_of_a_lost_future() -> None:
    with pytest.raises(TokenLost) as refusal:
        tokens.position(tokens.token(8), head=7)
    assert (refusal.value.position, refusal.value.head) == (8, 7)


def test_a_token_of_another_generation_is_of_a_lost_future() -> None:
    with pytest.raises(TokenLost):
        Tokens(LOG_ID, 2).position(tokens.token(7), head=9)


def test_a_page_token_is_no_token_of_a_position() -> None:
    page_token = tokens.page_token(ListTeamsRequest(), Page(7, 5, None, ()))
    with pytest.raises(TokenForeign):
        tokens.position(page_token, head=9)
    with pytest.raises(PageTokenInvalid):
        tokens.page(ListTeamsRequest(), tokens.token(7), HEAD)


@given(PAGES)
def test_a_page_token_gives_its_page_back(page: Page) -> None:
    request = ListObjectivesRequest(cycle="cycles/2026-q3")
    assert tokens.page(request, tokens.page_token(request, page), HEAD) == page


@pytest.mark.parametrize(("epoch", "head"), [(1, 6), (2, 7)])
def test_a_page_token_of_a_lost_future_is_refused(epoch: int, head: int) -> None:
    token = tokens.page_token(ListTeamsRequest(), Page(7, 5, None, ()))
    with pytest.raises(TokenLost) as refusal:
        Tokens(LOG_ID, epoch).page(ListTeamsRequest(), token, head)
    assert (refusal.value.position, refusal.value.head) == (7, head)


def test_no_page_token_asks_for_the_first_page() -> None:
    assert tokens.page(ListTeamsRequest(), "", HEAD) is None


def test_the_size_of_pages_and_the_freshness_may_differ_between_pages() -> None:
    page = Page(7, 5, date(2026, 8, 12), ("objectives/growth", 3))
    first = ListObjectivesRequest(cycle="cycles/2026-q3", page_size=10)
    token = tokens.page_token(first, page)
    second = ListObjectivesRequest(
        cycle="cycles/2026-q3", page_size=50, page_token=token, at_least_as_fresh=tokens.token(3)
    )
    assert tokens.page(second, token, HEAD) == page


@pytest.mark.parametrize(
    "other",
    [
        ListObjectivesRequest(cycle="cycles/2026-q4"),
        ListObjectivesRequest(cycle="cycles/2026-q3", team="teams/sales"),
        ListTeamsRequest(),
    ],
)
def test_a_page_token_of_another_query_is_refused(
    other: ListObjectivesRequest | ListTeamsRequest,
) -> None:
    token = tokens.page_token(
        ListObjectivesRequest(cycle="cycles/2026-q3"), Page(7, 5, None, ("objectives/growth",))
    )
    with pytest.raises(PageTokenInvalid):
        tokens.page(other, token, HEAD)


@given(PAGES, st.data())
def test_a_damaged_page_token_is_refused(page: Page, data: st.DataObject) -> None:
    request = ListTeamsRequest()
    token = tokens.page_token(request, page)
    at = data.draw(st.integers(0, len(token) - 1))
    put = data.draw(st.characters())
    assume(token[at] != put)
    with pytest.raises(PageTokenInvalid):
        tokens.page(request, token[:at] + put + token[at + 1 :], HEAD)


@given(st.text(min_size=1, max_size=500))
def test_any_other_text_is_no_page_token(text: str) -> None:
    with pytest.raises(PageTokenInvalid):
        tokens.page(ListTeamsRequest(), text, HEAD)


def test_page_tokens_of_the_longest_names_fit_into_a_request() -> None:
    name = f"objectives/{'o' * 63}/keyResults/{'k' * 63}"
    page = Page(2**63 - 1, 2**63, date.max, (name, 2**31))
    token = tokens.page_token(ListTeamsRequest(), page)
    assert len(token) <= 500
    assert len(urlsafe_b64decode(token + "=" * (-len(token) % 4))) < 375
