from collections.abc import Iterator

import pytest

from tests.story.quarter import Told, telling
from tests.support.serving import LoopThread, shared_loop


@pytest.fixture(scope="session")
def loop() -> LoopThread:
    return shared_loop()


@pytest.fixture(scope="session")
def story(loop: LoopThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """The quarter, told; ask of it what you want and write nothing."""
    with telling(loop, tmp_path_factory.mktemp("story")) as told:
        yield told
