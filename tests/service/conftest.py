import pytest

from tests.support.serving import LoopThread


@pytest.fixture(scope="session")
def loop() -> LoopThread:
    return LoopThread()
