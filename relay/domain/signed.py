"""What senders that sign share: their keys, an HMAC of the body alone, and one of time and body in one header."""

from datetime import datetime
from typing import ClassVar

from relay.domain.inbound import Inbound, Provider, SignedOptions, SourceOptions, TimedOptions
from relay.errors import BadSignature
from relay.signing import hex_digest, require, require_timely


class KeyedProvider(Provider):
    """What senders share that sign with a secret: `_keys` are those of the options, as bytes."""

    Options: ClassVar[type[SourceOptions]] = SignedOptions

    def __init__(self, options: SignedOptions) -> None:
        self._keys = options.keys


class TimedProvider(KeyedProvider):
    """What senders share that sign the time too: it may be `_tolerance` seconds off, both ways."""

    Options: ClassVar[type[SourceOptions]] = TimedOptions

    def __init__(self, options: TimedOptions) -> None:
        super().__init__(options)
        self._tolerance = options.tolerance


class HubProvider(KeyedProvider):
    """What senders share whose `header` holds `sha256=` and the HMAC-SHA256 of the body, as WebSub has it."""

    header: ClassVar[str]

    def verify(self, request: Inbound, now: datetime) -> None:
        """Check the HMAC-SHA256 of the body. No time is signed: repeats are told by their ids."""
        require((f"sha256={hex_digest(key, request.body)}" for key in self._keys), [request.proof(self.header)])


class StampedProvider(TimedProvider):
    """What senders share whose `header` holds the time and any number of signatures, as named values.

    The values are `between` one another, the time is `time`, a signature is `scheme`; what is signed is time, `joint`
    and body.
    """

    header: ClassVar[str]
    between: ClassVar[str]
    time: ClassVar[str]
    scheme: ClassVar[str]
    joint: ClassVar[bytes]

    def verify(self, request: Inbound, now: datetime) -> None:
        """Check that one of the signatures covers the time and the body, and that the time is near."""
        pairs = [item.partition("=")[::2] for item in request.proof(self.header).split(self.between)]
        times = [value for name, value in pairs if name == self.time]
        if len(times) != 1:
            raise BadSignature(f"the header {self.header} names no time, or several")
        require_timely(times[0], now, self._tolerance)
        content = times[0].encode() + self.joint + request.body
        given = [value for name, value in pairs if name == self.scheme]
        require((hex_digest(key, content) for key in self._keys), given)
