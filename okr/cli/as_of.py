"""The two instants that a read answers for, from the options of the command line."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, tzinfo

import typer

from okr import texts
from okr.v1.values_pb2 import AsOf


def instants(as_of: str, known_at: str, effective_at: str) -> AsOf | None:
    """The instants asked for; None for now.

    `as_of` is the convenient form of the other two: a day stands for `effective_at`, a time or
    a position for `known_at`. Together with one of these it must stand for the other.

    Raises:
        typer.BadParameter: a value that is none of these, or one axis given twice.
    """
    if as_of:
        if is_day(as_of):
            effective_at = _either(as_of, effective_at, "--effective-at")
        else:
            known_at = _either(as_of, known_at, "--known-at")
    if not known_at and not effective_at:
        return None
    result = AsOf()
    if known_at:
        _know(result, known_at, "--as-of" if known_at == as_of else "--known-at")
    if effective_at:
        day = _read_day(effective_at, "--as-of" if effective_at == as_of else "--effective-at")
        result.effective_at.CopyFrom(texts.date_message(day))
    return result


def pair(given: Sequence[str], option: str) -> AsOf | None:
    """The instants of an option that is given once or twice, a day and a time or position.

    None where it is not given.

    Raises:
        typer.BadParameter: what is neither a day, a time nor a position, or two of one kind.
    """
    days = [each for each in given if is_day(each)]
    known = [each for each in given if not is_day(each)]
    if len(days) > 1 or len(known) > 1:
        raise typer.BadParameter("one day, and one time or position, at most", param_hint=option)
    try:
        return instants("", "".join(known), "".join(days))
    except typer.BadParameter as error:
        raise typer.BadParameter(error.message, param_hint=option) from error


def learnt(text: str) -> AsOf | date:
    """What was known at a time or position; or the day by whose end it was.

    Raises:
        typer.BadParameter: it is none of these.
    """
    return _read_day(text, "WHEN") if is_day(text) else instants(text, "", "") or AsOf()


def by_the_end_of(day: date, zone: tzinfo) -> AsOf:
    """What was known by the end of a day in a time zone; of today it is what is known now."""
    if day == datetime.now(zone).date():
        return AsOf()
    return AsOf(time=texts.timestamp(datetime.combine(day, time.max, zone)))


def _either(as_of: str, other: str, option: str) -> str:
    if other:
        raise typer.BadParameter(f"{as_of!r} and {option} {other!r} say the same thing twice")
    return as_of


def is_day(text: str) -> bool:
    """Whether an instant is written as a day: neither as a time nor as a position."""
    return "T" not in text and not text.startswith("@")


def _read_day(text: str, option: str) -> date:
    try:
        return texts.day(text)
    except ValueError as error:
        hint = "; a time is written 2026-08-10T18:00, a position @1742" * (option == "--as-of")
        raise typer.BadParameter(f"{error}{hint}", param_hint=option) from error


def _know(as_of: AsOf, text: str, option: str) -> None:
    try:
        if text.startswith("@"):
            as_of.position = texts.whole(text[1:])
        else:
            as_of.time.CopyFrom(texts.timestamp(texts.instant(text, None)))
    except ValueError as error:
        hint = f"{error}; a position is written @1742"
        raise typer.BadParameter(hint, param_hint=option) from error
