"""What commands that read lists share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from google.protobuf.message import Message

Page = TypeVar("Page", bound=Message)


def merged(answers: Iterator[Page]) -> Page:
    """All pages of a list as one answer, of the first page's position."""
    result = next(answers)
    for page in answers:
        result.MergeFrom(page)
    result.ClearField("next_page_token")
    return result
