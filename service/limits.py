"""What the service takes at most, in numbers; docs/limits.md says what callers see of each.

What a request may hold is a rule beside its field in the protos, what operators may set is in
`service.settings`.
"""

from __future__ import annotations

from typing import Final

WRITES: Final = 20_000
"""The most writes at a time; how many of them wait for the lane is a setting."""

READS: Final = 2_000
"""The most reads at a time. They wait for a thread, with a request of a few hundred bytes each."""

HEAVY_READS: Final = 64
"""The most reads at a time of those that cost by a cycle's events and not by what they answer."""

HEAVY_THREADS: Final = 2
"""What all heavy reads, watches of scores and replays work on together."""

STREAMS: Final = 1000
"""The most watches of events and streams of check-ins at a time. Each holds a task, a page of
events and a place in HTTP/2."""

SCORE_WATCHES: Final = 200
"""The most watches of scores at a time. Each holds the plan and the scores of what it watches."""

REPLAYS: Final = 8
"""The most replays at a time. Each holds its cycle's events, up to 200 000."""

FRAME_SECONDS: Final = 60.0
"""How long a replay waits for its caller to take a frame."""

OPERATIONS: Final = 100
"""The most operators' calls at a time; they have a thread of their own."""

CALL_SECONDS: Final = 120.0
"""How long a call may take that is not a stream, whatever its caller allows."""

CALLERS: Final = 10_000
"""The callers whose quotas are remembered; who has no call under way is forgotten first."""

BURST_SECONDS: Final = 2.0
"""What a caller may save up of its calls per second."""

QUOTA_SECONDS: Final = 0.1
"""The least that a caller is told to wait whose quota is used up."""

CONNECTIONS: Final = 4000
"""The most connections; further ones are hung up on. A setting, too."""

CONNECTION_CALLS: Final = 1000
"""The most calls and streams of a connection at a time; clients keep further ones to themselves."""

OPENED: Final = 25_000
"""The most calls that have been begun and not ended, whether their requests have come or not. Each
holds some 19 KiB."""

HEALTH_WATCHES: Final = 1000
"""The most watches of health at a time."""

METADATA_BYTES: Final = 16 * 1024
"""The most bytes of a call's metadata, its names and values."""

HANDSHAKE_SECONDS: Final = 10.0
"""How long a connection may take until it has agreed on TLS and HTTP/2."""

IDLE_SECONDS: Final = 600.0
"""How long a connection lasts without a call."""

AGE_SECONDS: Final = 3600.0
"""How long a connection lasts at all; a setting, too."""

GRACE_SECONDS: Final = CALL_SECONDS + 10
"""What the calls of such a connection get to end in: all but streams do."""

RECHECK_SECONDS: Final = 10.0
"""How long after a caller's credential has expired, or a right was taken away, a stream ends."""
