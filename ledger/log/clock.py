"""The clock of this machine."""

from __future__ import annotations

import time


def now_us() -> int:
    """The system's clock in µs since 1970 UTC."""
    return time.time_ns() // 1_000
