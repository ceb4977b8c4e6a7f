"""Check-ins with their corrections and retractions, from the records that tell of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from okr import names, texts
from okr.quarter.interpreter import Interpreter
from okr.quarter.record import Record
from okr.quarter.step import Need, Step
from okr.v1 import ledger_service_pb2 as api
from okr.v1.values_pb2 import Measurement


class CheckIns:
    """Makes the requests about check-ins.

    A check-in is known in the file as OBJECTIVE/KEY-RESULT/ID, where the id is its day unless the
    file gives it one; the ledger numbers check-ins itself. Give every check-in before the first
    correction.
    """

    def __init__(self, interpreter: Interpreter, key_results: Iterable[Record]) -> None:
        self._interpreter = interpreter
        self._in_milestones = {
            f"{record.text('of')}/{record.text('id')}"
            for record in key_results
            if record.text("metric").upper() == "MILESTONES"
        }
        self._when: dict[str, datetime] = {}
        self._corrections: Counter[str] = Counter()

    def recorded(self, record: Record) -> Step:
        """A check-in."""
        parent = self._interpreter.name(names.key_result, record)
        day = self._interpreter.day(record, grace=True)
        when = self._interpreter.source(record) or self._interpreter.end_of(day)
        known_as = f"{record.text('of')}/{record.text('id') or record.text('on')}"
        self._when[known_as] = when
        request = api.RecordCheckInRequest(
            parent=parent,
            measurement=self._measurement(record, record.text("of")),
            instant=self._interpreter.instant(record, "at"),
            confidence=self._interpreter.value(texts.whole, record, "confidence"),
            note=record.text("note"),
            effective_date=texts.date_message(day) if day else None,
        )
        return Step(
            key=f"check-ins/{known_as}",
            request=request,
            places=(("", record),),
            when=when,
            rank=1,
            provides=(f"the check-in {known_as}",),
            needs=(Need(parent, record, "of"),),
            check_in=known_as,
        )

    def corrected(self, record: Record) -> Step:
        """A correction of a check-in; several of one are numbered in the order of the file."""
        known_as = record.text("of")
        self._corrections[known_as] += 1
        day = self._interpreter.day(record, grace=True)
        request = api.CorrectCheckInRequest(
            name=self._some_name(record),
            measurement=self._measurement(record, known_as.rpartition("/")[0]),
            instant=self._interpreter.instant(record, "at"),
            confidence=self._interpreter.value(texts.whole, record, "confidence"),
            note=record.text("note"),
            reason=record.text("reason"),
            effective_date=texts.date_message(day) if day else None,
        )
        key = f"check-ins/{known_as}/corrections/{self._corrections[known_as]}"
        return self._about(record, key, request, rank=2)

    def retracted(self, record: Record) -> Step:
        """A retraction of a check-in."""
        request = api.RetractCheckInRequest(
            name=self._some_name(record), reason=record.text("reason")
        )
        return self._about(record, f"check-ins/{record.text('of')}/retraction", request, rank=3)

    def _about(
        self,
        record: Record,
        key: str,
        request: api.CorrectCheckInRequest | api.RetractCheckInRequest,
        *,
        rank: int,
    ) -> Step:
        known_as = record.text("of")
        fallback = self._when.get(known_as) or self._interpreter.end_of(None)
        return Step(
            key=key,
            request=request,
            places=(("", record),),
            when=self._interpreter.source(record) or fallback,
            rank=rank,
            needs=(Need(f"the check-in {known_as}", record, "of"),),
            check_in=known_as,
        )

    def _some_name(self, record: Record) -> str:
        """A well-formed name of the check-in; its number is set when the ledger has given it."""
        return self._interpreter.name(
            lambda text: names.check_in(f"{text.rpartition('/')[0]}/1"), record
        )

    def _measurement(self, record: Record, key_result: str) -> Measurement | None:
        milestones = key_result in self._in_milestones
        return self._interpreter.value(
            lambda text: texts.measurement(text, milestones=milestones), record, "value"
        )
