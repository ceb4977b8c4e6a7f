"""Text and bytes from elsewhere: whatever they are, what reads them refuses in its own words."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.refusals import Refusal
from ledger.tokens import Tokens
from okr import names, texts
from okr.exports.errors import ExportRefused
from okr.exports.reading import Reading
from okr.proofs import checkpoint, note
from okr.quarter import csv_file, json_file, json_tree
from okr.quarter.reader import quarter
from okr.quarter.record import FileRefused
from okr.v1.score_service_pb2 import ListTeamsRequest
from projections.filtering.adjustments import ADJUSTMENT_FIELDS
from projections.filtering.events import REVISION_FIELDS
from projections.filtering.fields import predicate
from projections.filtering.order import Order, ordered
from service.settings import Settings, SettingsError


class Parser(NamedTuple):
    """What reads a text, the errors that it may raise, and texts that are nearly right."""

    read: Callable[[str], object]
    refusals: tuple[type[Exception], ...]
    nearly: Sequence[str]


TOKENS: Final = Tokens("0b9a4a1e-6f5e-4c69-9a3b-3f0f7a3d2c11", 1)
CSV: Final = "kind,id,of,title,on,until,value\ncycle,q3,,Q3,2024-07-01,2024-09-30,\n"
JSON: Final = json.dumps({"cycle": {"id": "q3", "first_day": "2024-07-01"}, "teams": [{"id": "a"}]})
NOTE: Final = "okr-ledger/x\n17\nAAAA\n\n— okr-ledger/x AAAAAAAA\n"

PARSERS: Final[dict[str, Parser]] = {
    "filter of revisions": Parser(
        lambda text: predicate(text, REVISION_FIELDS),
        (Refusal,),
        ('actor = "people/a" AND (category:X OR NOT time > "2024-07-01")', "((((", "a:*", "-a"),
    ),
    "filter of adjustments": Parser(
        lambda text: predicate(text, ADJUSTMENT_FIELDS), (Refusal,), ('reason = "x*"', "NOT")
    ),
    "order": Parser(
        lambda text: ordered(text, ("time", "name"), Order("time")), (Refusal,), ("time desc",)
    ),
    "token": Parser(
        lambda text: TOKENS.position(text, 100), (Refusal,), (TOKENS.token(7), TOKENS.token(700))
    ),
    "page token": Parser(
        lambda text: TOKENS.page(ListTeamsRequest(), text, 100), (Refusal,), (TOKENS.token(7),)
    ),
    "decimal": Parser(texts.decimal, (ValueError,), ("12.5", "-0", "1e5", "٣", "1_0")),
    "day": Parser(texts.day, (ValueError,), ("2024-07-01", "2024-13-01")),
    "instant": Parser(
        lambda text: texts.instant(text, None), (ValueError,), ("2024-07-01T10:00:00Z",)
    ),
    "trajectory": Parser(texts.trajectory, (ValueError,), ("2024-07-01=3, 2024-08-01=4",)),
    "policy": Parser(texts.policy, (ValueError,), ("standard", "clamp=none")),
    "pairs": Parser(texts.pairs, (ValueError,), ("a=1, b=2",)),
    "whole number": Parser(texts.whole, (ValueError,), ("12", "9" * 5000, "²")),
    "name of a key result": Parser(names.key_result, (ValueError,), ("brand/followers",)),
    "name of a check-in": Parser(names.check_in, (ValueError,), ("brand/followers/1",)),
    "name of an actor": Parser(names.actor, (ValueError,), ("people/a",)),
    "tree of JSON": Parser(json_tree.parse, (json_tree.NotJson,), (JSON, "[" * 3000, "1" * 5000)),
    "quarter in CSV": Parser(
        lambda text: quarter(csv_file.records(text, "q.csv"), "q.csv"), (FileRefused,), (CSV,)
    ),
    "quarter in JSON": Parser(
        lambda text: quarter(json_file.records(text, "q.json"), "q.json"), (FileRefused,), (JSON,)
    ),
    "note": Parser(note.parsed, (note.NoteInvalid,), (NOTE,)),
    "key of a note": Parser(
        note.VerifierKey.parse, (note.NoteInvalid,), ("okr-ledger/x+00000000+AAAA",)
    ),
    "checkpoint": Parser(checkpoint.parsed, (note.NoteInvalid,), ("okr-ledger/x\n17\nAAAA\n",)),
    "address": Parser(
        lambda text: Settings.read(listen=text), (SettingsError,), ("127.0.0.1:1", "[::1]:x")
    ),
    "database": Parser(
        lambda text: Settings.read(database_url=text),
        (SettingsError,),
        ("sqlite:///x", "postgresql://u:p@h:99999/d?x=%zz", "postgresql://[/x"),
    ),
    "schema": Parser(
        lambda text: Settings.read(database_schema=text), (SettingsError,), ("okr", 'a"b')
    ),
    "export": Parser(
        lambda text: list(Reading(io.BytesIO(text.encode("utf-8", "surrogatepass")), "x").chunks()),
        (ExportRefused,),
        ("OKR", "\x00" * 20),
    ),
}


@st.composite
def damaged(draw: st.DrawFn, text: str) -> str:
    """A text with pieces of it lost, repeated or changed."""
    for _ in range(draw(st.integers(1, 4))):
        at, until = sorted(draw(st.integers(0, len(text))) for _ in range(2))
        piece = draw(st.one_of(st.just(""), st.just(text[at:until] * 2), st.text(max_size=5)))
        text = text[:at] + piece + text[until:]
    return text


@pytest.mark.parametrize("name", PARSERS)
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_whatever_it_reads_it_reads_or_refuses(name: str, data: st.DataObject) -> None:
    parser = PARSERS[name]
    nearly = st.sampled_from(parser.nearly)
    text = data.draw(st.one_of(nearly, nearly.flatmap(damaged), st.text(max_size=200)))
    said = "nothing is wrong"
    try:
        parser.read(text)
    except parser.refusals as refusal:
        said = str(refusal)
    assert said
