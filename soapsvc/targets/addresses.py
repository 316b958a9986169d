"""Which addresses are of the public Internet, so that a webhook's URL cannot reach what lies inside a network."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the IPv4 address is the last 32 bits
_PROTOCOLS = IPv4Network("192.0.0.0/24")  # RFC 6890: Python knows parts of it alone
_IPV4_COMPATIBLE = IPv6Network("::/96")


def is_public(address: str) -> bool:
    """Whether an address may be anybody's: not loopback, private, link-local, shared (CGNAT), unique local, multicast,
    reserved, nor an IPv6 form that carries one of these (mapped, 6to4, NAT64)."""
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv4Address):
        return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip in _PROTOCOLS)
    inner = _carried(ip)
    if inner is not None:
        return is_public(str(inner))
    inside = ip.is_multicast or ip.is_site_local or ip.is_reserved or ip in _IPV4_COMPATIBLE
    return ip.is_global and not inside


def _carried(ip: IPv6Address) -> IPv4Address | None:
    if ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    if ip.sixtofour is not None:
        return ip.sixtofour
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return None


def resolved(host: str, port: int) -> list[tuple[socket.AddressFamily, tuple[str, int]]]:
    """Every address of a host, in the order in which the system would try them. Errors: OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, address) for family, _, _, _, address in found]  # type: ignore[misc]  # IPv6: two more numbers
