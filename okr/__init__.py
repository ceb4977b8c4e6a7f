"""What callers import: a typed client of the ledger and the messages it speaks (`okr.v1`).

Imports nothing of the server, and nothing of gRPC until a client is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from okr.aio import AsyncOkrClient
    from okr.client import OkrClient
    from okr.errors import OkrError, Violation
    from okr.feeding import Acknowledged

__all__ = ["Acknowledged", "AsyncOkrClient", "OkrClient", "OkrError", "Violation"]


def __getattr__(name: str) -> Any:
    """Load a client when it is first asked for: the server imports `okr.v1` alone."""
    match name:
        case "AsyncOkrClient":
            from okr.aio import AsyncOkrClient

            return AsyncOkrClient
        case "Acknowledged":
            from okr.feeding import Acknowledged

            return Acknowledged
        case "OkrClient":
            from okr.client import OkrClient

            return OkrClient
        case "OkrError" | "Violation":
            from okr import errors

            return getattr(errors, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
