"""A real server, somebody who uses it meanwhile, and what it holds at the end."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
import psutil
import pytest
import trustme

from okr.v1.ledger_service_pb2 import CreateTeamRequest
from okr.v1.score_service_pb2 import ListTeamsRequest
from tests.hostile.wire import Wire
from tests.support.server_process import ServerProcess, server_process
from tests.support.whole import path_of

BYSTANDER_PAUSE_SECONDS: Final = 0.02
BYSTANDER_SECONDS: Final = 10.0
"""A call of somebody else may take so long meanwhile, on a machine that is busy with the attack."""

GROWTH_MIB: Final = 150.0
"""What an attack may add to the server's memory, of which the allocator keeps a part."""

SERVING_DESCRIPTORS: Final = 40
"""What the server may have opened meanwhile to serve somebody else: databases, for each thread."""

READ: Final = path_of(ListTeamsRequest())
WRITE: Final = path_of(CreateTeamRequest())


@dataclass
class Target:
    """A server that is attacked: its process, and how to speak to it as somebody who means well."""

    server: ServerProcess
    channel: grpc.Channel
    context: ssl.SSLContext | None = None
    answered: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return self.server.address

    def wire(self, **given: Any) -> Wire:
        """A connection of somebody who means no good."""
        return Wire(self.address, context=self.context, **given)

    def ask(self) -> None:
        """A call as anybody makes it."""
        method: Any = self.channel.unary_unary(READ)
        try:
            method(b"", timeout=BYSTANDER_SECONDS)
        except grpc.RpcError as error:
            failure: Any = error
            self.failures.append(f"{failure.code()}: {failure.details()}")
        else:
            self.answered += 1

    def memory_mib(self) -> float:
        return float(psutil.Process(self.server.process.pid).memory_info().rss) / 2**20

    def descriptors(self) -> int:
        return int(psutil.Process(self.server.process.pid).num_fds())

    @contextmanager
    def holds(self, growth_mib: float = GROWTH_MIB) -> Iterator[None]:
        """Whatever happens in the block, others are served, and nothing of it is left behind."""
        before_mib, before = self.memory_mib(), self.descriptors()
        self.answered, self.failures = 0, []
        over = threading.Event()
        peak_mib = before_mib

        def look_on() -> None:
            nonlocal peak_mib
            while not over.is_set():
                self.ask()
                peak_mib = max(peak_mib, self.memory_mib())
                over.wait(BYSTANDER_PAUSE_SECONDS)

        bystander = threading.Thread(target=look_on)
        bystander.start()
        try:
            yield
        finally:
            over.set()
            bystander.join()
        self.ask()
        assert self.server.process.poll() is None
        assert self.failures == []
        assert self.answered >= 2
        assert peak_mib - before_mib < growth_mib
        until_fewer(self, before + SERVING_DESCRIPTORS)


def until_fewer(target: Target, at_most: int) -> None:
    """Returns when the server has let go of the connections."""
    deadline = time.monotonic() + 20
    while target.descriptors() > at_most:
        assert time.monotonic() < deadline, f"{target.descriptors()} descriptors are left"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A server without TLS."""
    with (
        server_process(tmp_path_factory.mktemp("plain")) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        yield Target(server, channel)


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A server that listens over TLS, and nothing else."""
    folder = tmp_path_factory.mktemp("encrypted")
    authority = trustme.CA()
    ours = authority.issue_cert("127.0.0.1")
    ours.private_key_and_cert_chain_pem.write_to_path(str(folder / "both.pem"))
    ours.private_key_pem.write_to_path(str(folder / "key.pem"))
    files = ("--tls-cert-file", "both.pem", "--tls-key-file", "key.pem")
    context = ssl.create_default_context()
    context.set_alpn_protocols(["h2"])
    authority.configure_trust(context)
    credentials = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
    with (
        server_process(folder, *files) as server,
        grpc.secure_channel(server.address, credentials) as channel,
    ):
        yield Target(server, channel, context)
