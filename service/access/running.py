"""An authority over a ledger: made from settings, kept up with the log and with its files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from service.access.authority import Authority
from service.access.directory import Directory
from service.access.policies import PolicyFiles, policies
from service.access.roles import NO_GRANTS, RolesFile
from service.access.upkeep import Upkeep
from service.identity.watching import looked_at

if TYPE_CHECKING:
    from ledger.log.contract import LogReader

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Fixed(Generic[Value]):
    """What no file says, and stays."""

    value: Value


@asynccontextmanager
async def authority_over(
    ledger: LogReader, policy_path: Path | None, roles_file: Path | None
) -> AsyncIterator[Authority]:
    """Decides while the block runs, by what the log and the files say at the time.

    Raises:
        FileError: a file cannot be taken in as it starts.
        LogUnavailable: the log cannot be read.
    """
    own = PolicyFiles(policy_path) if policy_path else None
    roles = RolesFile(roles_file) if roles_file else None
    directory = Directory()
    upkeep = Upkeep(ledger, directory)
    authority = Authority(directory, upkeep, own or Fixed(policies()), roles or Fixed(NO_GRANTS))
    await upkeep.catch_up()
    with ExitStack() as stack:
        looks = [each.look for each in (own, roles) if each is not None]
        if looks:
            stack.enter_context(looked_at(*looks))
        following = asyncio.create_task(upkeep.run())
        try:
            yield authority
        finally:
            following.cancel()
