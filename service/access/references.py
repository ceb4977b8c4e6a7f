"""Which fields of messages name resources, told from the messages' descriptors.

Resource names stand in fields of few names (`REFERENCES`), everything else in others (`WORDS`); a
test holds every field of every answer and event against the two, so that none is forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor

MENTIONS: Final = frozenset(
    {
        *("adjustment", "adjustments", "continued_by", "continued_from", "dependants"),
        *("key_results", "subjects"),
    }
)
"""Fields that name other resources than the one that their message is about."""

REFERENCES: Final = MENTIONS | {
    *("about", "child", "key_result", "name", "objective", "parent", "stream", "subject"),
}
"""Fields that may name an objective, something of one, or an adjustment."""

IDS: Final = frozenset({"objective_id"})
"""Fields that name an objective by its id alone."""

WORDS: Final = frozenset(
    {
        # Other resources, of which none is hidden.
        *("cycle", "person", "review", "seal", "successor", "team"),
        # Ids of other resources, and of parts of one that the same message names.
        *("adjustment_id", "cycle_id", "id", "ids", "key_result_id", "person_id", "review_id"),
        "team_id",
        # Who and why, in people's own words.
        *(
            "actor",
            "corrected_by",
            "description",
            "display_name",
            "lesson",
            "note",
            "notes",
            "on_behalf_of",
        ),
        *("owner", "participants", "plain", "reason", "statement", "title", "unit", "message"),
        # Numbers, as text.
        *("amended_score", "amended_value", "as_judged_difference", "as_judged_score"),
        *("at_risk_over", "attainment", "baseline", "behind_from", "brier", "commit"),
        *("computed_score", "difference", "elapsed_share", "expected_progress"),
        *("expected_value", "final_score", "final_score_before", "forecast_error", "gap"),
        *("green_from", "high", "low", "lower_bound", "made_share", "mean_confidence"),
        *("mean_error", "met_share", "on_track_from", "original_difference", "original_score"),
        *("override_score", "pace_shortfall", "recent_pace", "required_pace", "score"),
        *("score_after", "score_at_end", "score_before", "share", "stretch", "target"),
        *("target_change_percent", "upper_bound", "value", "weight", "weight_share"),
        "yellow_from",
        # What the service says of its own: fields, types, labels, versions, tokens.
        *("builder", "differs", "etag", "event_type", "event_types", "field", "key", "label"),
        *("leader", "log_id", "next_page_token", "paths", "projection", "request_id"),
        *("server_version", "text", "time_zone", "token", "type_url", "verifier_keys"),
        # What callers ask with: what they find is pruned, and its pages with it.
        *("at_least_as_fresh", "filter", "order_by", "page_token", "resume_token"),
    }
)
"""Fields of text that name no objective."""


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of a message that name resources, or hold messages of which some do.

    `subjects` say what the message is about. `single` and `repeated` hold messages.
    """

    subjects: tuple[str, ...]
    ids: tuple[str, ...]
    mentions: tuple[str, ...]
    lists: tuple[str, ...]
    single: tuple[str, ...]
    repeated: tuple[str, ...]


@cache
def fields_of(message: Descriptor) -> Fields:
    """The fields of a type of messages, found once."""
    texts = [f for f in message.fields if f.type == FieldDescriptor.TYPE_STRING]
    alone = [f.name for f in texts if not f.is_repeated]
    inner = [f for f in message.fields if f.message_type is not None and _says(f.message_type)]
    return Fields(
        subjects=tuple(name for name in alone if name in REFERENCES - MENTIONS),
        ids=tuple(name for name in alone if name in IDS),
        mentions=tuple(name for name in alone if name in MENTIONS),
        lists=tuple(f.name for f in texts if f.is_repeated and f.name in REFERENCES),
        single=tuple(f.name for f in inner if not f.is_repeated),
        repeated=tuple(f.name for f in inner if f.is_repeated),
    )


def below(message: Descriptor) -> Iterator[Descriptor]:
    """A type of messages and every type that its fields hold, each once."""
    found = [message]
    for each in found:
        yield each
        inner = (f.message_type for f in each.fields if f.message_type is not None)
        found += [kind for kind in dict.fromkeys(inner) if kind not in found]


@cache
def _says(message: Descriptor) -> bool:
    """Whether messages of the type, or in their fields, name resources."""
    named = REFERENCES | IDS
    return any(
        f.name in named and f.type == FieldDescriptor.TYPE_STRING
        for kind in below(message)
        for f in kind.fields
    )
