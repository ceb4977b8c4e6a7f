from __future__ import annotations

from collections.abc import Iterator

import pytest

from okr import OkrClient
from tests.okr.fake_service import Fake, serving


@pytest.fixture
def fake() -> Fake:
    return Fake()


@pytest.fixture
def okr(fake: Fake) -> Iterator[OkrClient]:
    """A client of the fake service."""
    with serving(fake) as address, OkrClient(address, actor="people/p-1") as client:
        yield client
