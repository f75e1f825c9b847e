"""A few words of the Redis protocol, over a plain socket."""

import socket
import ssl
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

from relay.capture.errors import CaptureError

TIMEOUT = 1.0
"""Seconds for connecting, and for each answer."""

_TLS = {"redis": False, "rediss": True}
_ELSEWHERE = ("amqp", "amqps", "sentinel", "memory")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a Redis server is, and how to enter it. `verify` is whether a TLS server must prove who it is."""

    host: str
    port: int
    database: int
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    verify: bool = True
    authorities: str | None = None

    @classmethod
    def parse(cls, url: str) -> Self | None:
        """Read `redis://:password@host:6379/0` or `rediss://...`; `None` for a broker that is not a Redis server.

        Raises `CaptureError` for any other URL; the message does not repeat it, for it may hold a password.
        """
        try:
            parts = urlsplit(url)
            if parts.scheme in _ELSEWHERE:
                return None
            options = parse_qs(parts.query)
            return cls(
                host=parts.hostname or "127.0.0.1",
                port=parts.port or 6379,
                database=int(parts.path.strip("/") or 0),
                user=unquote(parts.username) if parts.username else None,
                password=unquote(parts.password) if parts.password else None,
                tls=_TLS[parts.scheme],
                verify=not options.get("ssl_cert_reqs", [""])[0].lower().endswith("none"),
                authorities=options.get("ssl_ca_certs", [None])[0],
            )
        except (ValueError, KeyError):
            raise CaptureError("wake= (or RELAY_BROKER_URL) is no broker's URL, such as redis://host:6379/0") from None


class Connection:
    """A connection that asks and waits for the answer. Everything that goes wrong is an `OSError`."""

    def __init__(self, address: Address) -> None:
        self._socket = socket.create_connection((address.host, address.port), TIMEOUT)
        try:
            if address.tls:
                self._socket = _tls(address).wrap_socket(self._socket, server_hostname=address.host)
            self._answers = self._socket.makefile("rb")
            if address.password is not None:
                self.ask("AUTH", *([address.user] if address.user else []), address.password)
            if address.database:
                self.ask("SELECT", str(address.database))
        except OSError:
            self._socket.close()
            raise

    def ask(self, *words: str) -> str:
        """Send one command and return its answer in one line: `OK`, a number, or `-1` for nothing."""
        parts = [word.encode() for word in words]
        request = b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
        self._socket.sendall(b"*%d\r\n%s" % (len(parts), request))
        line = self._answers.readline(4096)
        if not line.endswith(b"\r\n") or line[:1] not in {b"+", b":", b"$"}:
            raise ConnectionError(f"the broker refused {words[0]}")
        return line[1:-2].decode(errors="replace")

    def close(self) -> None:
        """Close the connection."""
        self._answers.close()
        self._socket.close()


def _tls(address: Address) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=address.authorities)
    if not address.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
