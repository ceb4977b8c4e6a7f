import pytest

from tests.support.serving import LoopThread, shared_loop


@pytest.fixture(scope="session")
def loop() -> LoopThread:
    return shared_loop()
