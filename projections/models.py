"""The read models. A new one is a file of its own and a line here."""

from __future__ import annotations

from typing import Final

from projections import adjustments, alignments, check_ins, chronicle, plan, revisions
from projections.read_model import ReadModel

READ_MODELS: Final[tuple[ReadModel, ...]] = (
    revisions.MODEL,
    plan.MODEL,
    check_ins.MODEL,
    alignments.MODEL,
    adjustments.MODEL,
    chronicle.MODEL,
)
