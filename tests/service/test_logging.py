import io
import json
import logging
import threading
import time
from typing import Any

import structlog

from service.logging import LineWriter, logs


def test_an_entry_is_a_line_of_json_with_time_level_and_event_first() -> None:
    output = io.BytesIO()
    with logs("json", "info", output):
        structlog.get_logger().info("called", method="x", text="márka ✓")
    (entry,) = entries(output)
    assert list(entry) == ["time", "level", "event", "method", "text"]
    assert (entry["level"], entry["event"], entry["text"]) == ("info", "called", "márka ✓")


def test_entries_below_the_level_are_left_out() -> None:
    output = io.BytesIO()
    with logs("json", "warning", output):
        structlog.get_logger().info("left out")
        structlog.get_logger().warning("kept")
    assert [entry["event"] for entry in entries(output)] == ["kept"]


def test_what_libraries_log_comes_along() -> None:
    output = io.BytesIO()
    with logs("json", "info", output):
        logging.getLogger("some.library").warning("%d of %d", 1, 2)
    (entry,) = entries(output)
    assert (entry["event"], entry["logger"], entry["level"]) == (
        "1 of 2",
        "some.library",
        "warning",
    )


def test_a_traceback_is_one_field_of_its_entry() -> None:
    output = io.BytesIO()
    with logs("json", "info", output):
        structlog.get_logger().error("failed", exc_info=ValueError("why"))
    (entry,) = entries(output)
    assert entry["exception"].endswith("ValueError: why")


def test_what_cannot_be_written_as_json_is_shown_all_the_same() -> None:
    output = io.BytesIO()
    with logs("json", "info", output):
        structlog.get_logger().info(
            "odd", value=object(), bytes=b"\xff", text="\ud800", number=float("nan")
        )
    (entry,) = entries(output)
    assert entry["event"] == "odd"


def test_a_traceback_at_a_terminal_shows_no_variables() -> None:
    token = "header-claims-signature"
    output = io.BytesIO()
    with logs("console", "info", output):
        try:
            _fail_with(token)
        except ValueError:
            structlog.get_logger().exception("failed")
    told = output.getvalue().decode()
    assert "ValueError: ('why', " in told
    assert "_fail_with" in told
    assert token not in told


def _fail_with(token: str) -> None:
    raise ValueError("why", len(token))


def test_at_a_terminal_entries_are_text() -> None:
    output = io.BytesIO()
    with logs("console", "info", output):
        structlog.get_logger().info("listening on", address="127.0.0.1:1")
    assert b"listening on" in output.getvalue()
    assert not output.getvalue().startswith(b"{")


class Stuck(io.BytesIO):
    """A file whose reader takes nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()

    def write(self, data: Any) -> int:
        self.let_go.wait(10)
        return super().write(data)


def test_a_stuck_reader_holds_up_nobody() -> None:
    file = Stuck()
    lines = LineWriter(file)
    lines.msg("first")
    time.sleep(0.2)
    began = time.monotonic()
    for _ in range(1000):
        lines.msg("more")
    assert time.monotonic() - began < 0.5
    file.let_go.set()
    lines.close()
    assert file.getvalue().count(b"\n") == 1001


def test_a_reader_that_has_gone_ends_nothing() -> None:
    file = io.BytesIO()
    lines = LineWriter(file)
    file.close()
    lines.msg("to nobody")
    lines.close()


def entries(output: io.BytesIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.getvalue().splitlines()]
