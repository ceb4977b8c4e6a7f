"""RecordCheckIn as the one method of a server, for the servers that are compared with ours.

The generated servicer would want all methods of LedgerService; this is what its registration
does for one of them.
"""

from collections.abc import Callable
from typing import Any

import grpc

from okr.v1.ledger_service_pb2 import RecordCheckInRequest, RecordCheckInResponse

SERVICE = "okr.v1.LedgerService"
METHOD = "RecordCheckIn"
PATH = f"/{SERVICE}/{METHOD}"


def check_in_handler(behaviour: Callable[..., Any]) -> grpc.GenericRpcHandler:
    """The handler of RecordCheckIn alone: parses the request, serialises the response.

    `behaviour` is called with request and context, as a coroutine function on an aio server.
    """
    method = grpc.unary_unary_rpc_method_handler(
        behaviour,
        request_deserializer=RecordCheckInRequest.FromString,
        response_serializer=RecordCheckInResponse.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(SERVICE, {METHOD: method})
