"""Whose published figures each preset reproduces."""

from collections.abc import Mapping
from typing import Final

from ledger.scoring.policy import AS_STANDARD

_NAMES: Final = {
    "rework": "re:Work, grading OKRs",
    "whatmatters": "What Matters, grading committed and aspirational OKRs",
    "upraise": "UpRaise",
    "leantime": "Leantime",
    "puzzle": "Puzzle OKR, metric key results in zones",
    "lattice": "Lattice, progress as the mean of key results",
    "hirebook": "Hirebook",
    "synergita": "Synergita",
    "leapsome": "Leapsome",
    "shamanr": "ShamanR OKRs, objectives without key results or without weight",
}

ABOUT: Final[Mapping[str, str]] = {
    "standard": "The default: weighted means of scores from 0 to 1.",
    "viva": "Viva Goals: standard scores, at risk from a gap of more than 0.25.",
    "quantive": "Quantive (Gtmhub): attainment is not clamped, a bound met exactly is missed.",
    "servicenow": "ServiceNow: maintained metrics by share of periods, status by ratio.",
    "profitco": "Profit.co: control KPIs by share of periods.",
    "profitco-distance": "Profit.co: control KPIs by distance from the bound, not clamped.",
    "perdoo": "Perdoo: the mean of key results.",
    "lattice-sum": "Lattice: progress as the sum of the values of key results.",
    "boja": "Boja, OKR grade status: the rounded mean of statuses.",
    "feedback4e": "Feedback4e: progress from the baseline, not clamped.",
    "feedback4e-ratio": "Feedback4e: progress as a share of the target, not clamped.",
    "okr-tracker": "Oslo kommune's OKR-tracker: no progress counts as less than 0.",
    "google": "Google's OKR playbook: colours by scores rounded to a tenth.",
    "engagedly": "Engagedly: the first day of a cycle counts as passed.",
    "weights-by-target": "Viva Goals: key results weigh as much as their targets.",
    "ipfs": "IPFS team management: ungraded key results are left out, the cycle is the mean of "
    "key results.",
    **{name: f"{_NAMES[name]}: as standard." for name in AS_STANDARD},
}
"""A sentence for each preset, by its name."""
