"""Which hosts are this machine, by their names alone; nothing is looked up."""

from __future__ import annotations

import ipaddress

__all__ = ["is_loopback"]


def is_loopback(host: str) -> bool:
    """
    Tell whether a host can only be this machine.

    Args:
        host: a name or an address, without port and brackets, in any case: localhost and
            names under it (RFC 6761, section 6.3), 127.0.0.0/8, ::1.
    """
    name = host.lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
