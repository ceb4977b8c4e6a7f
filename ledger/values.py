"""Values as requests give them, made the values that the ledger keeps."""

from __future__ import annotations

import unicodedata
from datetime import date
from decimal import Decimal

from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date

from ledger.context import Context
from ledger.refusals import invalid
from ledger.scoring.exact import text
from okr.v1.values_pb2 import PersonalText

ALWAYS = date.min
"""The effective date of a fact that holds from the beginning, recorded as an absent date."""
NANOS = 1_000_000_000
"""Nanoseconds of a second."""


def day(message: Date, field: str) -> date:
    """The calendar day of a date message.

    Raises:
        FieldInvalid: no such day in the calendar.
    """
    try:
        return date(message.year, message.month, message.day)
    except ValueError as error:
        raise invalid(field, "date.calendar", "must be a day of the calendar") from error


def date_message(value: date) -> Date:
    """A calendar day as a date message."""
    message = Date()
    set_date(message, value)
    return message


def set_date(message: Date, value: date) -> None:
    """Makes a date message that day."""
    message.year = value.year
    message.month = value.month
    message.day = value.day


def moment(given: Timestamp, field: str) -> Timestamp:
    """A timestamp message, as it is.

    Raises:
        FieldInvalid: its nanoseconds are not part of a second, which no JSON form can tell.
    """
    if not 0 <= given.nanos < NANOS:
        raise invalid(field, "timestamp.nanos", "must have 0 to 999 999 999 nanoseconds")
    return given


def timestamp(microseconds: int) -> Timestamp:
    """A count of microseconds since 1970 UTC as a timestamp message."""
    message = Timestamp()
    set_timestamp(message, microseconds)
    return message


def set_timestamp(message: Timestamp, microseconds: int) -> None:
    """Makes a timestamp message that count of microseconds since 1970 UTC."""
    message.seconds, rest = divmod(microseconds, 1_000_000)
    message.nanos = rest * 1000


def recorded_day(message: Date) -> date:
    """The day of a stored date message; an absent one holds from the beginning."""
    return date(message.year, message.month, message.day) if message.year else ALWAYS


def decimal_text(given: str) -> str:
    """The one text of a decimal: no sign for plus or zero, no leading or trailing zeros."""
    return text(Decimal(given))


def plain(given: str) -> str:
    """Text in Unicode normal form C."""
    return given if given.isascii() else unicodedata.normalize("NFC", given)


def blank(given: str) -> bool:
    """Whether a text says nothing: empty, or white space only."""
    return not given.strip()


def in_the_clear(given: PersonalText, field: str) -> None:
    """Refuses text that a request brings encrypted or names a key for: keys are the ledger's.

    Raises:
        FieldInvalid: it is encrypted, or names a key.
    """
    if given.HasField("encrypted") or given.key:
        raise invalid(field, "personal_text.plain", "must be given in the clear")


def personal(given: str) -> PersonalText | None:
    """Text that may name a person, ready to be stored; None for empty text."""
    return PersonalText(plain=plain(given)) if given else None


def new_name(collection: str, wanted: str, context: Context, ordinal: int = 0) -> str:
    """The name of a new resource: the caller's id, or one made from the request.

    `ordinal` tells resources that one request creates apart.
    """
    made = wanted or (f"{context.new_id()}-{ordinal}" if ordinal else context.new_id())
    return f"{collection}/{made}"
