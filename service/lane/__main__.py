"""`python -m service.lane FD FORMAT LEVEL`: a lane as a process; the server starts it.

Which database it writes to comes as JSON on standard input, where nobody else sees a password.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys
from typing import Any

from ledger.log.database import Database
from service.lane.host import host
from service.logging import logs


def main(number: str, log_format: Any, log_level: Any) -> None:
    """Serves the socket of that number until the server at its other end hangs up."""
    # A signal to the process group is for the server, which lets the lane finish.
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_number, signal.SIG_IGN)
    database = Database(**json.load(sys.stdin))
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)
    with logs(log_format, log_level):
        host(socket.socket(fileno=int(number)), database, os.getppid())


if __name__ == "__main__":
    main(*sys.argv[1:])
