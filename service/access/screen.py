"""One call without what is hidden from its caller: its request, its answers, its errors."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from google.protobuf.descriptor_pool import Default
from google.protobuf.message_factory import GetMessageClass

from ledger.call import in_thread
from ledger.log.errors import LogUnavailable
from service.access.masking import Missing, masked
from service.access.showing import pruned
from service.access.sight import OwnSight

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from google.rpc.status_pb2 import Status

    from service.access.authority import Authority
    from service.identity.principal import Principal

OWN_ALONE: Final = frozenset({"RecordCheckIn", "CorrectCheckIn", "RetractCheckIn"})
"""Writes whose answer names nothing but what the request does."""

LARGE_BYTES: Final = 32 * 1024
"""Answers from this size are looked through in a thread, since that takes a millisecond or more."""


class Screen:
    """Stands between one call and whatever it is told. Costs nothing while nothing is private."""

    def __init__(self, authority: Authority, principal: Principal) -> None:
        self.sight: Final = OwnSight(authority, principal)
        self._authority = authority
        self._missing = Missing(authority.secret)

    def ask(self, request: Message) -> bool:
        """Has a request ask for what does not exist where it asks for what is hidden.

        Whether it does.
        """
        if self._authority.directory.has_private:
            self._missing.put_into(request, self.sight.hides)
        return bool(self._missing)

    async def show(self, response: Message) -> bool:
        """Takes out of an answer what is hidden; whether it is about something that is shown.

        Raises:
            LogUnavailable: what is hidden cannot be told.
        """
        if not await self.sight.reach(getattr(response, "position", 0)):
            return True
        if response.ByteSize() < LARGE_BYTES:
            return self.sight.shows(response)
        return await in_thread(self.sight.shows, response)

    async def show_written(self, method: str, raw: bytes, position: int) -> bytes:
        """The answer to a write without what is hidden; what was written itself is shown.

        Raises:
            LogUnavailable: what is hidden cannot be told; the write is done.
        """
        if method in OWN_ALONE or not await self.sight.reach(position):
            return raw
        response = _answers()[method].FromString(raw)
        pruned(response, self.sight.hides)
        return response.SerializeToString()

    async def tell(self, error: Status) -> Status:
        """An error that names nothing hidden but what was asked for."""
        directory = self._authority.directory
        if not (directory.has_private or self._missing):
            return error
        hides = self.sight.hides
        try:
            await self._authority.caught_up()
        except LogUnavailable:
            # What cannot be told from what is hidden is not named.
            return masked(error, lambda _: True, self._missing)
        return masked(error, hides, self._missing)


@cache
def _answers() -> dict[str, type[Message]]:
    """What each write answers with, by the name of its method."""
    service = Default().FindServiceByName("okr.v1.LedgerService")
    return {method.name: GetMessageClass(method.output_type) for method in service.methods}
