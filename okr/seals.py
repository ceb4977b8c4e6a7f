"""Whether a seal is right: its scores and digest computed again from what the API tells.

```python
from okr import OkrClient, seals
from okr.v1.score_service_pb2 import GetSealRequest

with OkrClient("127.0.0.1:50051") as okr:
    seal = okr.scores.GetSeal(GetSealRequest(name="cycles/2026-q4/seals/1")).seal
    assert not seals.differences(seal, seals.scorecard(okr, seal))
```
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256

from okr.client import OkrClient
from okr.v1.resources_pb2 import (
    KeyResultScore,
    ObjectiveScore,
    Scorecard,
    Seal,
    TeamScore,
)
from okr.v1.score_service_pb2 import GetScorecardRequest
from okr.v1.values_pb2 import AsOf, FinalScore

Scored = Seal | Scorecard | TeamScore | ObjectiveScore | KeyResultScore | FinalScore


def scorecard(okr: OkrClient, seal: Seal) -> Scorecard:
    """The scorecard that a seal was made from, computed now.

    Raises:
        OkrError: the call failed.
    """
    as_of = AsOf(position=seal.closing_position, effective_at=seal.effective_date)
    return okr.scores.GetScorecard(GetScorecardRequest(cycle=seal.cycle, as_of=as_of)).scorecard


def differences(seal: Seal, card: Scorecard) -> list[str]:
    """The names of what a seal and the scorecard of its position and day do not agree on.

    Of the cycle, teams and objectives their names; "key results" where the digest is another.
    """
    sealed = [(seal.cycle, _three(seal)), *_by_name(seal.team_scores, seal.objective_scores)]
    computed = [
        (card.cycle.name, _three(card)),
        *((line.team.name, _three(line)) for line in card.teams),
        *((line.objective.name, _three(line)) for line in card.objectives),
    ]
    found = sorted({name for name, _ in {*sealed} ^ {*computed}})
    return found if digest(card) == seal.key_result_digest else [*found, "key results"]


def not_shown(seal: Seal, card: Scorecard) -> int:
    """How many of the key results that a seal's digest covers are hidden from who reads the card.

    With any of them the digest cannot be computed, and `differences` says that it differs.
    """
    return seal.key_result_count - sum(len(block.key_results) for block in card.objectives)


def digest(card: Scorecard) -> bytes:
    """The digest of a scorecard's key results; `okr.v1.CycleSealed` says of which bytes."""
    lines = {
        line.key_result.name: "\t".join((line.key_result.name, *_three(line))) + "\n"
        for block in card.objectives
        for line in block.key_results
    }
    listed = "".join(lines[name] for name in sorted(lines, key=str.encode))
    return sha256(listed.encode()).digest()


def _by_name(*groups: Iterable[FinalScore]) -> Iterator[tuple[str, tuple[str, str, str]]]:
    for group in groups:
        for line in group:
            yield line.name, _three(line)


def _three(of: Scored) -> tuple[str, str, str]:
    return (of.score, of.original_score, of.as_judged_score)
