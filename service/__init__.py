"""What both sides of the wire share: calls, tokens, errors, settings, logs, operators' commands."""

import os
from typing import Final

POLLING: Final = "-event_engine_listener"
"""Has sockets polled by the thread that hands calls to the event loop, and not by a pool of threads
that pass each on to it: a fifth less processor time for a call."""

# gRPC reads this once, when it is first imported; an operator's own value stands.
os.environ.setdefault("GRPC_EXPERIMENTS", POLLING)
