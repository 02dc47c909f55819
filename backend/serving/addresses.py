"""Whose request it is: the peer's address, or what a proxy of ours says of it; and the sockets to listen on."""

from __future__ import annotations

import contextlib
import ipaddress
import socket

from backend.config import Network

IPV6_SITE_BITS = 64  # what one customer is given: its addresses count as one
BACKLOG = 1024


def is_trusted(address: str, trusted: tuple[Network, ...]) -> bool:
    """Whether a numeric address is that of a proxy of ours."""
    if not trusted:
        return False
    with contextlib.suppress(ValueError):
        number = _number(address)
        return any(number in network for network in trusted)
    return False


def client_address(peer: str, forwarded_for: str, trusted: tuple[Network, ...]) -> str:
    """The nearest address that no proxy of ours has; anyone can write what stands before it in X-Forwarded-For."""
    address = peer
    for hop in reversed(forwarded_for.split(",")):
        if not is_trusted(address, trusted):
            break
        try:
            address = str(_number(hop.strip()))
        except ValueError:
            break
    return address


def counted_as(address: str) -> str:
    """Under what name an address' connections and requests are counted: an IPv6 one under its /64."""
    try:
        number = _number(address)
    except ValueError:
        return address
    if number.version == 4:
        return str(number)
    return str(ipaddress.ip_network((int(number), IPV6_SITE_BITS), strict=False))


def _number(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    number = ipaddress.ip_address(address.partition("%")[0])
    return getattr(number, "ipv4_mapped", None) or number


def listening_sockets(host: str, port: int) -> list[socket.socket]:
    """One for each address of the host, all on the same port; 0 takes a free one. Raises OSError."""
    found = dict.fromkeys(
        (family, name[0])
        for family, _, _, _, name in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    )
    sockets: list[socket.socket] = []
    try:
        for family, address in found:
            sockets.append(socket.create_server((str(address), port), family=family, backlog=BACKLOG))
            port = sockets[0].getsockname()[1]
    except OSError:
        for one in sockets:
            one.close()
        raise
    return sockets
