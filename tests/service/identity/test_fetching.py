"""How key sets are fetched, over real connections."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from service.identity.fetching import KEY_SET_BYTES, source_of
from service.identity.key_set import KeySetError

Answer = Callable[[BaseHTTPRequestHandler], None]
TEXT = b'{"keys": []}'


@contextmanager
def answering(answer: Answer) -> Iterator[str]:
    """An address that answers so; "/keys" there is asked for."""

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/keys"
        finally:
            server.shutdown()
            thread.join()


def with_status(status: int, text: bytes = TEXT, **headers: str) -> Answer:
    def answer(asked: BaseHTTPRequestHandler) -> None:
        asked.send_response(status)
        for name, value in headers.items():
            asked.send_header(name, value)
        asked.end_headers()
        asked.wfile.write(text)

    return answer


def test_what_an_address_answers_is_had() -> None:
    with answering(with_status(200)) as address:
        assert source_of(address).fetch() == TEXT


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_where_a_redirection_leads_nobody_goes(status: int, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(TEXT)
    with (
        answering(with_status(200)) as elsewhere,
        answering(with_status(status, Location=elsewhere)) as there,
        answering(with_status(status, Location=secret.as_uri())) as here,
    ):
        for address in (there, here):
            with pytest.raises(OSError, match=str(status)):
                source_of(address).fetch()


@pytest.mark.parametrize("status", [404, 500, 503])
def test_an_error_is_no_key_set(status: int) -> None:
    with answering(with_status(status)) as address, pytest.raises(OSError, match=str(status)):
        source_of(address).fetch()


def test_more_than_a_key_set_may_have_is_not_read() -> None:
    def without_end(asked: BaseHTTPRequestHandler) -> None:
        asked.send_response(200)
        asked.end_headers()
        try:
            for _ in range(1000):
                asked.wfile.write(b" " * KEY_SET_BYTES)
        except OSError:
            return

    with answering(without_end) as address, pytest.raises(KeySetError, match="more than"):
        source_of(address).fetch()


def test_who_speaks_something_else_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/keys"

        def answer() -> None:
            caller, _ = listening.accept()
            with caller:
                caller.recv(4096)
                caller.sendall(b"220 mail.example ESMTP\r\n")

        thread = Thread(target=answer)
        thread.start()
        with pytest.raises(KeySetError, match="no HTTP"):
            source_of(address).fetch()
        thread.join()


def test_nobody_there_is_told() -> None:
    with answering(with_status(200)) as address:
        pass
    with pytest.raises(OSError, match="refused"):
        source_of(address).fetch()


def test_a_file_is_read_as_far_as_a_key_set_goes(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(TEXT)
    assert source_of(str(file)).fetch() == TEXT
    file.write_bytes(b" " * (KEY_SET_BYTES + 1))
    with pytest.raises(KeySetError, match="more than"):
        source_of(str(file)).fetch()
    with pytest.raises(OSError, match="nowhere"):
        source_of(str(tmp_path / "nowhere")).fetch()
