"""The egress guard: says which addresses a target may be at. It is asked for the very address of each connection."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from relay.errors import InvalidConfiguration

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NOT_PUBLIC = tuple(
    ip_network(block)
    for block in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",
        "100.64.0.0/10",  # carriers' inner networks, and one cloud's metadata
        "127.0.0.0/8",
        "168.63.129.16/32",  # one cloud's metadata at a public address
        "169.254.0.0/16",  # link-local, and most clouds' metadata
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "2001::/23",  # protocol assignments, and Teredo, which embeds an address
        "2001:db8::/32",
        "3fff::/20",
    )
)
# All other IPv6 is loopback, link-local, site-local, multicast or not given out.
_GLOBAL_IPV6 = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_HOST_NAME = re.compile(r"(?!.*\.[0-9]+\Z)(?=.*[a-z])[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")
_HIGHEST_PORT = 65_535


@dataclass(frozen=True, slots=True)
class _Rule:
    """One entry of the allow list: a network or a host name, on one port or on all."""

    network: Network | None
    host: str
    port: int | None

    def permits(self, address: Address, port: int, host: str) -> bool:
        if self.port not in (None, port):
            return False
        if self.network is None:
            return self.host == host
        return address.version == self.network.version and address in self.network


class Guard:
    """Permits public addresses, and those private ones that `allow` names.

    `allow` holds addresses, CIDRs and host names, each with an optional `:port`; IPv6 with a port in brackets. A host
    name permits whatever it resolves to, for requests to that name alone. Raises `InvalidConfiguration`.
    """

    def __init__(self, allow: Sequence[str] = ()) -> None:
        self._rules = tuple(_parse(entry) for entry in allow)

    def permits(self, address: str, port: int, host: str) -> bool:
        """Say whether a request to `host` may connect to `address`. Text that is no address is refused."""
        try:
            # A link-local address may carry its interface: fe80::1%eth0.
            unwrapped = _unwrap(ip_address(address.partition("%")[0]))
        except ValueError:
            return False
        name = host.lower().rstrip(".")
        return is_public(unwrapped) or any(rule.permits(unwrapped, port, name) for rule in self._rules)


def is_public(address: Address) -> bool:
    """Say whether an address belongs to the public internet, and so does any IPv4 address it embeds."""
    address = _unwrap(address)
    if isinstance(address, IPv6Address):
        if address not in _GLOBAL_IPV6:
            return False
        if address.sixtofour is not None and not is_public(address.sixtofour):
            return False
    return not _within(address, _NOT_PUBLIC)


def _unwrap(address: Address) -> Address:
    """Return the IPv4 address that is reached through an IPv4-mapped or NAT64 one, else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address


def _within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _parse(entry: str) -> _Rule:
    place, port = _split(entry.strip())
    try:
        return _Rule(ip_network(place), "", port)
    except ValueError:
        pass
    if "/" in place:
        raise _invalid(entry, _network_hint(place))
    name = place.lower().rstrip(".")
    if not _HOST_NAME.fullmatch(name):
        raise _invalid(entry, "write 10.0.0.0/8, 127.0.0.1:8000, [::1]:8000 or internal.example.com")
    return _Rule(None, name, port)


def _split(entry: str) -> tuple[str, int | None]:
    """Split an entry into its place and its port, which is `None` when it names none."""
    if entry.startswith("["):
        place, bracket, rest = entry[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise _invalid(entry, "write an IPv6 address with a port like [::1]:8000")
        return place, _port(entry, rest[1:]) if rest else None
    if entry.count(":") == 1:
        place, _, digits = entry.partition(":")
        return place, _port(entry, digits)
    return entry, None


def _port(entry: str, digits: str) -> int:
    if not (digits.isascii() and digits.isdigit() and 0 < int(digits) <= _HIGHEST_PORT):
        raise _invalid(entry, "a port is a number from 1 to 65535")
    return int(digits)


def _network_hint(place: str) -> str:
    try:
        return f"the network is {ip_network(place, strict=False)}"
    except ValueError:
        return "write a network like 10.0.0.0/8 or fd00::/8"


def _invalid(entry: str, hint: str) -> InvalidConfiguration:
    return InvalidConfiguration(f"RELAY_EGRESS_ALLOW: {entry!r} is no address, network or host name", hint=hint)
