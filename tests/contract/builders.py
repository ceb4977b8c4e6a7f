"""Short forms of what the log takes."""

from __future__ import annotations

from collections.abc import Mapping

from ledger.log.contract import Append, EncodedEvent, request_key

TYPE = "okr.v1.TeamRetired"


def event(stream: str, payload: bytes = b"payload", event_type: str = TYPE) -> EncodedEvent:
    return EncodedEvent(stream, event_type, b"metadata", payload)


def append(
    *streams: str,
    at: Mapping[str, int] | None = None,
    request: str = "",
    content: bytes = b"content",
    principal: str = "services/metrics",
) -> Append:
    """One event for each stream named, guarded at version 0 or as `at` says."""
    guards = dict.fromkeys(streams, 0) | dict(at or {})
    key = request_key(principal, request, content) if request else None
    return Append([event(stream) for stream in streams], guards, key)
