"""Addresses of brokers, and what is said to them."""

import pytest

from relay.capture.errors import CaptureError
from relay.capture.resp import Address
from relay.capture.wake import waker


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://", Address("127.0.0.1", 6379, 0)),
        ("redis://cache:7000/3", Address("cache", 7000, 3)),
        ("redis://:p%40ss@cache", Address("cache", 6379, 0, password="p@ss")),
        ("redis://ana:word@[::1]/1", Address("::1", 6379, 1, user="ana", password="word")),
        ("rediss://cache/0", Address("cache", 6379, 0, tls=True)),
        ("rediss://cache?ssl_cert_reqs=CERT_NONE", Address("cache", 6379, 0, tls=True, verify=False)),
        ("rediss://cache?ssl_ca_certs=/ca.pem", Address("cache", 6379, 0, tls=True, authorities="/ca.pem")),
    ],
)
def test_addresses(url: str, expected: Address):
    """A Redis URL means what it means to Celery."""
    assert Address.parse(url) == expected


@pytest.mark.parametrize("url", ["amqp://guest@host//", "amqps://host", "sentinel://host:26379", "memory://"])
def test_other_brokers_are_not_woken(url: str):
    """With a broker that is no Redis server the relay looks for itself."""
    assert waker(url) is None


@pytest.mark.parametrize("url", ["", "cache:6379", "http://cache", "redis://cache/x", "redis://:s3cret/@cache"])
def test_what_is_no_address(url: str):
    """Anything else is refused, without repeating what may be a password."""
    with pytest.raises(CaptureError) as caught:
        Address.parse(url)
    assert "s3cret" not in str(caught.value)


def test_passwords_are_not_shown():
    """An address shows no password."""
    assert "word" not in repr(Address.parse("redis://:word@cache"))
