"""What one caller sees: the objectives that the policies show to them, and all that is of none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from google.protobuf.message import Message

from ledger.event import EVENT_TYPES
from service.access.resources import OBJECTIVE, Subject
from service.access.showing import Hidden, Left, pruned

if TYPE_CHECKING:
    from service.access.authority import Authority
    from service.identity.principal import Principal


class Stored(Protocol):
    """What is asked of a record of the log."""

    @property
    def stream(self) -> str: ...

    @property
    def event_type(self) -> str: ...

    @property
    def payload(self) -> bytes: ...


def objective_in(name: str) -> str:
    """The objective that a name is of or is below: "objectives/{objective}"."""
    end = name.find("/", len("objectives/"))
    return name if end < 0 else name[:end]


class OwnSight:
    """What a principal sees, by what is granted at the time of each question.

    An adjustment is hidden from whom everything is hidden that it is about.
    """

    def __init__(self, authority: Authority, principal: Principal) -> None:
        self._authority = authority
        self._principal = principal

    async def reach(self, position: int) -> bool:
        """Returns when it is known what is private up to a position; whether anything ever was.

        Raises:
            LogUnavailable: that cannot be told now.
        """
        await self._authority.reach(position)
        return self._authority.directory.has_private

    def hides(self, name: str) -> bool:
        """Whether a resource is hidden; not what does not exist."""
        directory = self._authority.directory
        if not directory.has_private:
            return False
        if name.startswith("objectives/"):
            return self._hides_objective(objective_in(name))
        if name.startswith("adjustments/"):
            about = directory.about(name)
            return bool(about) and all(map(self.hides, about))
        return False

    def _hides_objective(self, name: str) -> bool:
        directory = self._authority.directory
        found = directory.find(Subject(OBJECTIVE, name)) or directory.foreseen(name)
        return found is not None and not self._authority.access(self._principal).sees(found)

    def _once(self) -> Hidden:
        """The same as `hides` for one message, which names an objective many times."""
        known: dict[str, bool] = {}

        def hides(name: str) -> bool:
            if not name.startswith("objectives/"):
                return name.startswith("adjustments/") and self.hides(name)
            objective = objective_in(name)
            found = known.get(objective)
            if found is None:
                found = known[objective] = self._hides_objective(objective)
            return found

        return hides

    def shows(self, item: object) -> bool:
        """Whether a message or a record is about something shown; see `ledger.call.Sight`."""
        if not self._authority.directory.has_private:
            return True
        if isinstance(item, Message):
            return pruned(item, self._once()) is not Left.NOTHING
        return self._shows_record(item)  # type: ignore[arg-type]  # what is no message is a record

    def _shows_record(self, record: Stored) -> bool:
        kind = EVENT_TYPES.get(record.event_type)
        if kind is None or self.hides(record.stream):
            return False
        return pruned(kind.FromString(record.payload), self.hides) is not Left.NOTHING
