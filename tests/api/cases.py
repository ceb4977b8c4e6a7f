"""Bad input and what each is told; the ledger is the furnished one of `conftest`."""

from __future__ import annotations

from typing import Final

from tests.api.cases_of_ends import ENDS
from tests.api.cases_of_fields import DEFINITIONS, MEASUREMENTS, TEXTS
from tests.api.cases_of_names import ETAGS, TAKEN_ID, UNKNOWN_RESOURCE, UNREASONED
from tests.api.cases_of_state import ALIGNMENTS, PARTS, STATES
from tests.api.cases_of_values import DAYS, ENUMS, NUMBERS

TABLES: Final = {
    "unknown resource": UNKNOWN_RESOURCE,
    "taken id": TAKEN_ID,
    "no reason": UNREASONED,
    "state": STATES,
    "alignment": ALIGNMENTS,
    "number": NUMBERS,
    "day": DAYS,
    "text": TEXTS,
    "enum": ENUMS,
    "measurement": MEASUREMENTS,
    "definition": DEFINITIONS,
    "part of an adjustment": PARTS,
    "stale etag": ETAGS,
    "a cycle's end": ENDS,
}
"""Every request that is refused for what it says, by what is wrong with it."""
