"""Why an export is refused."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(eq=False)
class ExportRefused(Exception):
    """What the export says is not so, or it is none.

    `place` is the part at fault, such as "chunk 3", empty where it is the whole; `position` that of
    the event at fault, 0 where it is none in particular.
    """

    file: str
    place: str
    position: int
    reason: str

    def __str__(self) -> str:
        event = f"event {self.position}" if self.position else ""
        where = ", ".join(part for part in (self.place, event) if part)
        return f"{self.file}: {where}: {self.reason}" if where else f"{self.file}: {self.reason}"


class ExportCut(ExportRefused):
    """The export ends before its trailer: it was cut off, or its writing has not ended."""


@dataclass(eq=False)
class Misfit(Exception):
    """An event, or what stands for all of them, does not follow on those before it."""

    position: int
    reason: str

    def __str__(self) -> str:
        return f"event {self.position}: {self.reason}" if self.position else self.reason
