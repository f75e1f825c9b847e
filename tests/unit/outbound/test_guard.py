"""The guard lets targets reach the public internet, and of private networks only what was named."""

import pytest

from relay.errors import InvalidConfiguration
from relay.outbound.guard import Guard

PRIVATE = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.168.1.1",
    "198.18.0.1",
    "203.0.113.7",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::127.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "100::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2002:c0a8:0101::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "172.32.0.1",
    "192.0.1.1",
    "223.255.255.255",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
    "2606:4700:4700::1111",
    "2a00:1450:4001::200e",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_refused(address: str) -> None:
    """No private, local, reserved or metadata address is reached unless it was allowed, however it is embedded."""
    assert not Guard().permits(address, 443, "example.com")


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_permitted(address: str) -> None:
    """The public internet is open, over NAT64 and 6to4 too."""
    assert Guard().permits(address, 443, "example.com")


def test_what_is_no_address_is_refused() -> None:
    """Text that is no address is never permitted."""
    assert not Guard(["0.0.0.0/0"]).permits("localhost", 80, "localhost")


@pytest.mark.parametrize(
    ("entry", "inside", "outside"),
    [
        ("127.0.0.1", ("127.0.0.1", 80), ("127.0.0.2", 80)),
        ("127.0.0.1:8000", ("127.0.0.1", 8000), ("127.0.0.1", 8001)),
        ("10.0.0.0/8", ("10.9.9.9", 1), ("11.0.0.1.", 1)),
        ("10.0.0.0/8:443", ("10.9.9.9", 443), ("10.9.9.9", 80)),
        ("127.0.0.0/8", ("::ffff:127.0.0.1", 80), ("::1", 80)),
        ("::1", ("::1", 80), ("::2", 80)),
        ("[::1]:9", ("::1", 9), ("::1", 10)),
        ("fd00::/8", ("fd12::1", 80), ("fe80::1", 80)),
        ("[fd00::/8]:443", ("fd12::1", 443), ("fd12::1", 80)),
        (" 192.168.0.0/16 ", ("192.168.3.4", 80), ("192.169.0.0.1", 80)),
    ],
)
def test_networks_are_opened(entry: str, inside: tuple[str, int], outside: tuple[str, int]) -> None:
    """An allowed network, on its port where it has one, is open, and nothing beside it."""
    guard = Guard([entry])
    assert guard.permits(*inside, "x")
    assert not guard.permits(*outside, "x")


def test_a_host_name_opens_its_own_requests_alone() -> None:
    """An allowed name may be at any address; the same address under another name stays shut."""
    guard = Guard(["Internal.Example.com", "db.local:8443"])
    assert guard.permits("10.0.0.1", 80, "internal.example.com")
    assert guard.permits("10.0.0.1", 80, "INTERNAL.example.com.")
    assert guard.permits("10.0.0.1", 8443, "db.local")
    assert not guard.permits("10.0.0.1", 443, "db.local")
    assert not guard.permits("10.0.0.1", 80, "other.example.com")
    assert not guard.permits("10.0.0.1", 80, "evil.internal.example.com")


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "10.0.0.1/8",
        "10.0.0.0/33",
        "300.1.2.3",
        "127.1",
        "2130706433",
        "host:0",
        "host:65536",
        "host:http",
        "host:",
        "[::1",
        "[::1]9",
        "::g",
        "http://example.com",
        "*.example.com",
        "exa mple.com",
        "example.com/x",
        "-",
    ],
)
def test_wrong_entries_are_refused(entry: str) -> None:
    """An entry that could mean something else than its writer thinks is refused, with a hint."""
    with pytest.raises(InvalidConfiguration, match="RELAY_EGRESS_ALLOW") as caught:
        Guard([entry])
    assert caught.value.hint
