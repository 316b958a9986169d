"""From whom a request comes: the peer, or what a trusted proxy says of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from soapsvc.wire.http_messages import RequestHead

_WITH_PORT = re.compile(r"\[(?P<v6>[0-9A-Fa-f:.]+)\](?::\d{1,5})?|(?P<v4>[0-9.]+):\d{1,5}")


class UnclearSource(Exception):
    """A trusted proxy named something that is no address; `found` is what."""

    def __init__(self, found: str):
        super().__init__(found)
        self.found = found


def source_ip(head: RequestHead, trusted_proxies: Iterable[IPv4Network | IPv6Network]) -> str:
    """The sender's IP address.

    X-Forwarded-For is read from its end, where the nearest proxy wrote, and no further than the first address that is
    not a trusted proxy: what stands before that may be the sender's own invention.
    Errors  UnclearSource
    """
    proxies = tuple(trusted_proxies)
    peer = _address(head.peer)
    if peer is None:
        return head.peer
    forwarded = [name.strip() for sent in head.values("X-Forwarded-For") for name in sent.split(",") if name.strip()]
    source = peer
    while forwarded and _is_in(proxies, source):
        named = forwarded.pop()
        address = _address(named)
        if address is None:
            raise UnclearSource(named)
        source = address
    return str(source)


def contains(networks: Iterable[IPv4Network | IPv6Network], ip: str) -> bool:
    """Whether the address lies in one of the ranges; what is no address lies in none."""
    address = _address(ip)
    return address is not None and _is_in(networks, address)


@lru_cache(maxsize=1024)
def _address(text: str) -> IPv4Address | IPv6Address | None:
    """The address that a text names, a port left out; an IPv4 address in IPv6 clothes is the IPv4 address."""
    if with_port := _WITH_PORT.fullmatch(text):
        text = with_port["v6"] or with_port["v4"]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _is_in(networks: Iterable[IPv4Network | IPv6Network], address: IPv4Address | IPv6Address) -> bool:
    return any(address in network for network in networks)
