"""Connections that drop: a proxy before a server that cuts each one off after some bytes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

CHUNK = 16 * 1024


@dataclass
class Dropping:
    """A proxy's settings and what it has done.

    Each connection is cut off, in both directions at once, after a number of bytes sent to the
    caller that `chance` draws up to `most_bytes`; `drops` of them are, then they live.
    """

    target: str
    chance: random.Random
    most_bytes: int
    drops: int
    dropped: int = 0
    carrying: set[asyncio.Task[None]] = field(default_factory=set)

    def begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Takes a connection."""
        task = asyncio.create_task(self._carry(reader, writer))
        self.carrying.add(task)
        task.add_done_callback(self.carrying.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carries one connection to the target until either side, or chance, ends it."""
        host, _, port = self.target.rpartition(":")
        up_reader, up_writer = await asyncio.open_connection(host, int(port))
        left = self.chance.randrange(self.most_bytes) if self.dropped < self.drops else None
        towards = asyncio.create_task(_carried(reader, up_writer, None))
        back = asyncio.create_task(_carried(up_reader, writer, left))
        try:
            await asyncio.wait({towards, back}, return_when=asyncio.FIRST_COMPLETED)
            if back.done() and back.result():
                self.dropped += 1
        finally:
            for task in (towards, back):
                task.cancel()
            for each in (writer, up_writer):
                each.transport.abort()


async def _carried(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: int | None
) -> bool:
    """Carries bytes; True once as many as may be are through."""
    while chunk := await reader.read(CHUNK):
        if left is not None:
            chunk = chunk[:left]
            left -= len(chunk)
        writer.write(chunk)
        await writer.drain()
        if left == 0:
            return True
    return False


@asynccontextmanager
async def dropping(proxy: Dropping) -> AsyncIterator[str]:
    """Listens on loopback while the block runs; gives the address."""
    server = await asyncio.start_server(proxy.begin, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in proxy.carrying:
            task.cancel()
        await asyncio.gather(*proxy.carrying, return_exceptions=True)
