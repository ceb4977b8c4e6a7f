"""Ledgers as files: their events as they were stored, and what was answered about them.

A ledger is a folder here: `events.jsonl` with a line for each event, its two byte strings in
hexadecimal, and `answers.jsonl` with a line for each read, its request and its answer in the JSON
form of protobuf. Both are written once, by the version that made the ledger, and never edited: a
later version has to read the same bytes and to give the same answers.

`python -m tests.golden.stored NAME` makes a new one.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from ledger.event import Record
from ledger.log.contract import Append, EncodedEvent
from ledger.log.sqlite.recorder import open_log
from okr.v1 import audit_service_pb2 as audit
from tests.api.test_retries import asker, quarter
from tests.support.questions import questions
from tests.support.serving import shared_loop
from tests.support.whole import METHODS, Caller, whole_service

HERE: Final = Path(__file__).parent
OWN: Final = ("token", "logId")
"""What differs between two logs with the same events."""


def names() -> list[str]:
    """The ledgers that are stored."""
    return sorted(file.parent.name for file in HERE.glob("*/events.jsonl"))


def events(name: str) -> list[Record]:
    """The events of a stored ledger."""
    return [
        Record(
            **{**line, "metadata": bytes.fromhex(line["metadata"])}
            | {"payload": bytes.fromhex(line["payload"])}
        )
        for line in _lines(name, "events.jsonl")
    ]


def answers(name: str) -> Iterator[tuple[Message, Any]]:
    """Each request that was made of a stored ledger, and the answer or the refusal's reason."""
    for line in _lines(name, "answers.jsonl"):
        kind = GetMessageClass(METHODS[f"okr.v1.{line['ask']}"].input_type)
        yield ParseDict(line["request"], kind()), line["answer"]


def restore(records: list[Record], folder: Path) -> None:
    """Writes events into a new ledger of the folder, at the times at which they were recorded."""
    with closing(open_log(folder / "okr-ledger.db")) as log:
        for recorded_us, group in groupby(records, key=lambda record: record.recorded_us):
            for each in group:
                event = EncodedEvent(each.stream, each.event_type, each.metadata, each.payload)
                log.append_batch(
                    [Append([event], {each.stream: each.stream_version - 1})], recorded_us
                )


def answered(me: Caller, request: Message) -> Any:
    """The answer in JSON form, without what is the log's own; of a refusal its sentence."""
    try:
        return _stripped(MessageToDict(me.ask(request)))
    except grpc.RpcError as error:
        return str(error.details())


def _stripped(told: Any) -> Any:
    if isinstance(told, dict):
        return {key: _stripped(value) for key, value in told.items() if key not in OWN}
    if isinstance(told, list):
        return [_stripped(each) for each in told]
    return told


def _lines(name: str, file: str) -> list[dict[str, Any]]:
    text = (HERE / name / file).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def _make(name: str) -> None:
    target = HERE / name
    target.mkdir()
    with tempfile.TemporaryDirectory() as folder, whole_service(shared_loop(), Path(folder)) as me:
        for request in quarter():
            me.ask(request, asker(request))
        head = me.head()
        made = me.ask(audit.ListEventsRequest(page_size=1000)).events
        stored = [
            {
                "position": event.header.position,
                "stream": event.header.stream,
                "stream_version": event.header.stream_version,
                "event_type": event.header.event_type,
                "recorded_us": event.header.recorded_time.ToMicroseconds(),
                "metadata": event.metadata.hex(),
                "payload": event.payload.hex(),
            }
            for event in made
        ]
        asked = [
            {
                "ask": request.DESCRIPTOR.name,
                "request": MessageToDict(request),
                "answer": answered(me, request),
            }
            for request in questions(me, [head * 2 // 3, head], 2)
        ]
    for file, lines in (("events.jsonl", stored), ("answers.jsonl", asked)):
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (target / file).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    _make(sys.argv[1])
