"""Cuts a history that fails down to steps without which it does not."""

from __future__ import annotations

from dataclasses import replace

from tests.simulation.history import History
from tests.simulation.playing import play


def shrunk(played: History, error: Exception) -> tuple[History, Exception]:
    """A shorter history with a failure of the same kind, and that failure.

    Leaves steps out, half of them at first and one by one in the end, then faults and lanes.
    """
    size = len(played.steps) // 2
    while size:
        start = 0
        while start < len(played.steps):
            rest = (*played.steps[:start], *played.steps[start + size :])
            failure = _failure(played._replace(steps=rest), error)
            if failure is None:
                start += size
            else:
                played, error = played._replace(steps=rest), failure
        size //= 2
    for simpler in _simpler(played):
        failure = _failure(simpler, error)
        if failure is not None:
            played, error = simpler, failure
    return played, error


def _simpler(played: History) -> list[History]:
    one = replace(played.setting, lanes=1)
    return [played._replace(faults=0.0), played._replace(setting=one)]


def _failure(played: History, error: Exception) -> Exception | None:
    """The failure of a history, if it is of the same kind."""
    try:
        play(played)
    except Exception as failure:  # noqa: BLE001 - whatever it is
        return failure if _kind(failure) == _kind(error) else None
    return None


def _kind(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).partition(':')[0]}"
