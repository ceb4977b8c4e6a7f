"""Logs: structlog to standard error, one line of JSON an entry, or coloured text at a terminal."""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, BinaryIO, Final, Literal

import structlog
from pydantic_core import PydanticSerializationError, to_json

LogFormat = Literal["auto", "json", "console"]
LogLevel = Literal["debug", "info", "warning", "error"]

FLUSH_SECONDS: Final = 0.1
"""How long a line waits at most before it is written."""
WAITING_LINES: Final = 100_000
"""How many lines wait at most for a slow reader; further ones are dropped and counted."""


class LineWriter:
    """Takes log lines from any thread and writes them in a thread of its own.

    Logging a call costs an append to a queue; a reader that is slow or stuck holds up no call.
    """

    def __init__(self, file: BinaryIO) -> None:
        # What is not written stays here, and not in a buffer that nobody sees.
        self._file = getattr(file, "raw", file)
        self._waiting: deque[bytes] = deque()
        self._dropped = 0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def msg(self, line: str | bytes) -> None:
        """Takes a line without its end."""
        if len(self._waiting) >= WAITING_LINES:
            self._dropped += 1
            return
        self._waiting.append(line if isinstance(line, bytes) else line.encode(errors="replace"))

    debug = info = warning = error = critical = exception = msg

    def close(self) -> None:
        """Writes what waits and ends the thread; waits a second at most for a stuck reader."""
        self._closing.set()
        self._thread.join(1.0)

    def _run(self) -> None:
        unwritten = b""
        closing = False
        while not closing:
            closing = self._closing.wait(FLUSH_SECONDS)
            if closing or not unwritten:
                unwritten += self._taken()
            try:
                while unwritten and (written := self._file.write(unwritten)):
                    unwritten = unwritten[written:]
            except (BrokenPipeError, ValueError):
                # Nobody reads any more, and there is no other place to say so.
                return
            except OSError:
                # A full disk passes: lines wait, as many as may, and the rest are counted.
                continue

    def _taken(self) -> bytes:
        """The lines that wait, with their ends."""
        lines = [self._waiting.popleft() for _ in range(len(self._waiting))]
        dropped, self._dropped = self._dropped, 0
        if dropped:
            lines.append(to_json({"event": "log lines dropped", "lines": dropped}))
        return b"".join(line + b"\n" for line in lines)


class StandardHandler(logging.Handler):
    """Passes what libraries log through the standard library on to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        """Logs the record under its own level."""
        structlog.get_logger().log(
            record.levelno,
            record.getMessage(),
            logger=record.name,
            exc_info=record.exc_info,
        )


@contextmanager
def logs(form: LogFormat, level: LogLevel, file: BinaryIO | None = None) -> Iterator[None]:
    """Configures structlog and the standard library's logging, for as long as the block runs."""
    output = sys.stderr.buffer if file is None else file
    as_json = form == "json" or (form == "auto" and not output.isatty())
    lines = LineWriter(output)
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            Stamp(),
            *([structlog.processors.format_exc_info, _json] if as_json else [_console()]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=False,
    )
    handler = StandardHandler(max(number, logging.WARNING))
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        structlog.reset_defaults()
        lines.close()


class Stamp:
    """Adds `time` (RFC 3339, UTC, µs) and `level`; formats each second once."""

    def __init__(self) -> None:
        self._formatted = (-1, "")

    def __call__(
        self, logger: object, method: str, entry: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """The entry with its time and level."""
        seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
        formatted = self._formatted
        if formatted[0] != seconds:
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
            # Assigned whole: another thread sees the old pair or the new one.
            formatted = self._formatted = (seconds, text)
        event = entry.pop("event", "")
        stamp = f"{formatted[1]}.{nanoseconds // 1000:06d}Z"
        return {"time": stamp, "level": method, "event": event, **entry}


def _json(_logger: object, _method: str, entry: MutableMapping[str, Any]) -> bytes:
    try:
        return to_json(entry, serialize_unknown=True)
    except PydanticSerializationError:
        # Bytes, or text that is not Unicode: rare enough for the slow way.
        return json.dumps(entry, default=repr).encode()


def _console() -> structlog.types.Processor:
    return structlog.dev.ConsoleRenderer(
        timestamp_key="time",
        pad_event_to=24,
        # The default prints the variables of each frame, and with them tokens and texts.
        exception_formatter=structlog.dev.plain_traceback,
    )
