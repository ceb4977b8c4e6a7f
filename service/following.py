"""Threads that work beside the event loop until they are told to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

log = structlog.get_logger()


@contextmanager
def running_beside(
    name: str,
    work: Callable[[threading.Event], None],
    *,
    wake: Callable[[], None] = lambda: None,
    on_defect: Callable[[], None] = lambda: None,
) -> Iterator[None]:
    """Runs `work(stop)` in a thread while the block runs, then sets `stop`, wakes it and waits.

    Work that fails is logged, and `on_defect` told: the thread ends, the process goes on.
    """
    stop = threading.Event()

    def supervised() -> None:
        try:
            work(stop)
        except Exception:
            # Whatever it was: without this nobody would learn that the thread has ended.
            log.exception("thread ended by a defect", thread=name)
            on_defect()

    thread = threading.Thread(target=supervised, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        wake()
        thread.join()
