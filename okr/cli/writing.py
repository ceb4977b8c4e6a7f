"""What commands that write share: definitions from options, and a write's circumstances."""

from __future__ import annotations

from datetime import date
from typing import Any, TypeVar, cast

import typer
from google.protobuf.message import Message

from okr import texts
from okr.definitions import Definition, fill

Request = TypeVar("Request", bound=Message)


def definition(start: Definition, **given: str) -> Definition:
    """The definition with the options that are given.

    Raises:
        typer.BadParameter: an option's text is wrong.
    """
    for field, text in given.items():
        if text:
            try:
                fill(start, field, text)
            except ValueError as error:
                option = f"--{field.replace('_', '-')}"
                raise typer.BadParameter(str(error), param_hint=option) from error
    return start


def circumstances(
    request: Request,
    *,
    on: date | None = None,
    reason: str = "",
    category: int | None = None,
    etag: str = "",
    request_id: str = "",
    dry_run: bool = False,
) -> Request:
    """The request with the circumstances that are given; those that it cannot have stay unset."""
    open_request = cast(Any, request)
    if on is not None:
        open_request.effective_date.CopyFrom(texts.date_message(on))
    said = {
        "reason": reason,
        "category": category,
        "etag": etag,
        "request_id": request_id,
        "validate_only": dry_run,
    }
    for field, value in said.items():
        if value:
            setattr(open_request, field, value)
    return request
