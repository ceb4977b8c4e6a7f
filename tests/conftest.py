"""The order of the tests: what answers soonest runs first."""

import pytest

# The last of these markers that a test carries decides its place.
ORDER = ("contract", "slow", "system")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run unmarked tests first, then the marked ones in the order above; stable within each."""
    items.sort(key=rank)


def rank(item: pytest.Item) -> int:
    """0 for an unmarked test, else one more than its last marker's place in the order."""
    carried = (number for number, name in enumerate(ORDER, 1) if item.get_closest_marker(name))
    return max(carried, default=0)
