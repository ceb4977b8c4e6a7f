"""Messages with many requests are checked by the server, which has time where the lane has none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ledger.rpc import BULK, REQUESTS

if TYPE_CHECKING:
    from ledger.call import Caller
    from service.exchange import Places, Write
    from service.lane.desk import Desk
    from service.lane.link import Answer
    from service.validation import Validation


def checked(desk: Desk, validation: Validation) -> Mapping[str, Write]:
    """The methods whose messages carry many requests.

    A lane decides one check-in after the other, and their rules would be a sixth of its work. Where
    a request breaks one, the lane checks all of them again and tells each its own.
    """
    return {method: _checked(method, desk, validation) for method in BULK}


def _checked(method: str, desk: Desk, validation: Validation) -> Write:
    kind = REQUESTS[method]
    name = kind.DESCRIPTOR.full_name

    async def write(
        raw: bytes, caller: Caller, deadline: float | None, forbidden: Places = (), /
    ) -> Answer:
        passes = validation.passes_bulk(kind.FromString, name, raw)
        return await desk.ask(method, raw, caller, deadline, forbidden, checked=passes)

    return write
