"""Which addresses stay on this machine."""

from __future__ import annotations

import ipaddress


def stays_on_this_machine(address: str) -> bool:
    """Whether nobody else can be behind HOST:PORT or unix:PATH; a name that is looked up is not.

    Raises:
        ValueError: it is neither.
    """
    if address.startswith(("unix:", "unix-abstract:")):
        return True
    host, colon, port = address.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{address!r} is neither HOST:PORT nor unix:PATH")
    return is_loopback(host)


def is_loopback(host: str) -> bool:
    """Whether the host is this machine: "localhost", 127.0.0.0/8 or "::1", in brackets or not."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False
