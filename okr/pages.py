"""Walks the pages of a list."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Protocol, TypeVar


class _Asks(Protocol):
    page_token: str


class _Answers(Protocol):
    @property
    def next_page_token(self) -> str: ...


Request = TypeVar("Request", bound=_Asks)
Page = TypeVar("Page", bound=_Answers)


def pages(method: Callable[[Request], Page], request: Request) -> Iterator[Page]:
    """The answers of a List method, page by page; all are of the first page's position.

    ```python
    for page in pages(okr.audit.ListEvents, ListEventsRequest(page_size=1000)):
        for event in page.events:
            print(event.name)
    ```
    """
    asked = deepcopy(request)
    while True:
        page = method(asked)
        yield page
        if not page.next_page_token:
            return
        asked.page_token = page.next_page_token
