"""Everything else, through the library apprise."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from importlib.util import find_spec
from types import MappingProxyType
from typing import Annotated, Any, ClassVar

import requests
from pydantic import AfterValidator, Field, SecretStr, StrictInt

from relay.domain.card import Tone
from relay.domain.errand import Notice
from relay.domain.judgement import judge_status
from relay.domain.layout import Room, roomiest
from relay.domain.plain import plain, title_of
from relay.domain.target import Message, Outcome, TargetOptions, WordsOptions
from relay.domain.text import clean, shorten
from relay.secrets import SecretText

ROOMS = (Room(200, 2_000, 20_000), Room(50, 300, 4_000), Room(20, 100, 1_000), Room(5, 60, 200))
"""Sizes of a message, tried in turn until the service takes it."""

MOODS: Mapping[Tone, str] = MappingProxyType(
    {Tone.NEUTRAL: "info", Tone.GOOD: "success", Tone.WARNING: "warning", Tone.BAD: "failure"}
)

_NOTE_ROOM = 60
_LEAST = 20


def _service(address: str) -> Any:
    """Return what apprise knows of the service at an address; it is asked nothing. Raises `ValueError`."""
    if find_spec("apprise") is None:
        raise ValueError("apprise is not installed: pip install 'relay[apprise]'")
    # Loaded when the first target needs it: it is optional, and takes long.
    import apprise

    asset = apprise.AppriseAsset(storage_mode=apprise.PersistentStoreMode.MEMORY, async_mode=False)
    service = apprise.Apprise.instantiate(address, asset=asset, suppress_exceptions=True)
    if service is None:
        raise ValueError("apprise does not know such an address: https://appriseit.com lists them")
    return service


def _checked(secret: SecretStr) -> SecretStr:
    _service(secret.get_secret_value())
    return secret


class AppriseOptions(WordsOptions):
    """Fields of an `apprise` target: `url` is an address as apprise writes it."""

    url: Annotated[SecretText, AfterValidator(_checked)]
    concurrency: Annotated[StrictInt, Field(ge=1, le=32)] = 4


class AppriseTarget:
    """Tells each event through apprise, which knows more than a hundred services: for all that has no kind of its own.

    Needs `pip install 'relay[apprise]'`. `url` is the address of one service as apprise writes it. A route's `text` is
    the message; without one it shows what changed in a row, or the fields of any other event, in plain words.

    Apprise says whether a service took a message, and no more: whatever failed is tried again. It sends for itself, in
    threads, and what is hung longer than `timeout` is given up, though it may still arrive. Redirects are not followed,
    no program is started, and each address is held against the egress guard when a thread connects to it. Not guarded
    are services that start threads of their own or leave Python for a C library, and those reached through a proxy that
    the environment names: prefer a kind of the relay's own where there is one.
    """

    kind: ClassVar[str] = "apprise"
    Options: ClassVar[type[TargetOptions]] = AppriseOptions
    words: ClassVar[bool] = True

    def __init__(self, options: AppriseOptions) -> None:
        self._name = options.name
        self._address = options.url.get_secret_value()
        self._limit = max(_LEAST, _service(self._address).body_maxlen)

    @property
    def pace(self) -> str:
        """The target itself: what its service allows is not known here."""
        return f"{self.kind}:{self._name}"

    @staticmethod
    def escape(value: str) -> str:
        """Return a value as plain words."""
        return clean(value)

    def render(self, message: Message) -> requests.Request:
        """Return the notification: the news' title, and the message in plain words."""
        body = roomiest(ROOMS, partial(plain, message, headed=False), lambda made: len(made) <= self._limit)
        if len(body) > self._limit:
            body = shorten(body, max(1, self._limit - _NOTE_ROOM))[: self._limit]
        return Notice(self._address, title_of(message), body or title_of(message), MOODS[message.card.tone])

    def judge(self, response: requests.Response, now: datetime) -> Outcome:
        """Return what the status says: 200 that the service took it."""
        return judge_status(response, now)


TARGET = AppriseTarget
