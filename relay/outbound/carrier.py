"""The way out as the steps see it: whatever a request needs beside its bytes is seen to before it leaves."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import requests

from relay.domain.delivery import OutcomeName
from relay.domain.errand import Errand, Notice
from relay.domain.grants import Grant, NoToken, Token
from relay.outbound import failures
from relay.outbound.failures import Failure
from relay.outbound.notices import Notices
from relay.outbound.response import CurlResponse
from relay.outbound.tokens import FETCH_TIMEOUT, Tokens
from relay.outbound.transport import Reply, Transport

LOOK_AGAIN = 0.05
"""Seconds between two looks for what another thread does."""


@dataclass(slots=True)
class _Authorised:
    """A request that needs a token: `key` is its sender's, times are in seconds of the monotonic clock."""

    key: Any
    request: Errand
    grant: Grant
    began: float
    ends: float
    token: str = ""
    again: bool = False


@dataclass(frozen=True, slots=True)
class _Fetch:
    """The key under which a token is fetched."""

    grant: Grant


class Carrier:
    """Sends requests as `Transport` does, and notifications. One that needs an access token waits until it is there.

    One per thread.
    """

    def __init__(
        self,
        transport: Transport,
        tokens: Tokens,
        notices: Notices,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport = transport
        self._notices = notices
        self._tokens = tokens
        self._clock = clock
        self._waiting: dict[Grant, list[_Authorised]] = {}
        self._sent = 0
        self._done: list[Reply] = []

    @property
    def in_flight(self) -> int:
        """How many requests have no reply yet."""
        waiting = sum(map(len, self._waiting.values()))
        return self._transport.in_flight + waiting + self._notices.in_flight + len(self._done)

    def send(self, key: Any, request: requests.Request, timeout: float) -> None:
        """Start a request; its reply comes out of `poll`, whatever is wrong with it."""
        if isinstance(request, Errand) and request.grant is not None:
            now = self._clock()
            self._wait(_Authorised(key, request, request.grant, now, now + timeout))
        elif isinstance(request, Notice):
            self._notices.send(key, request, timeout)
        else:
            self._transport.send(key, request, timeout)

    def poll(self, wait: float) -> list[Reply]:
        """Return what has finished, at once if there is something; else wait at most `wait` seconds for the first."""
        if not (self._sent or self._waiting or self._done or self._notices.in_flight):
            return self._transport.poll(wait)
        until = self._clock() + wait
        while True:
            for grant in list(self._waiting):
                self._look(grant)
            self._done += self._notices.collect()
            left = 0.0 if self._done else max(0.0, until - self._clock())
            looking = self._waiting or self._notices.in_flight
            for reply in self._transport.poll(min(left, LOOK_AGAIN) if looking else left):
                self._done.extend(self._taken(reply))
            if self._done or left <= 0:
                done, self._done = self._done, []
                return done

    def close(self) -> None:
        """Drop what is in flight and close every connection."""
        for grant in self._waiting:
            self._tokens.fail(grant)
        self._waiting.clear()
        self._done.clear()
        self._sent = 0
        self._notices.close()
        self._transport.close()

    def _wait(self, one: _Authorised) -> None:
        self._waiting.setdefault(one.grant, []).append(one)
        self._look(one.grant)

    def _look(self, grant: Grant) -> None:
        """Send what waits for a token if it is there; have it fetched if nobody does."""
        token = self._tokens.find(grant)
        if token is not None:
            for one in self._waiting.pop(grant):
                self._start(one, token)
        elif self._tokens.begin(grant):
            self._transport.send(_Fetch(grant), grant.request(datetime.now(UTC)), FETCH_TIMEOUT)
            self._sent += 1
        else:
            self._give_up(grant)

    def _start(self, one: _Authorised, token: str) -> None:
        one.token = token
        one.request.headers = dict(one.request.headers) | {"authorization": f"Bearer {token}"}
        self._transport.send(one, one.request, max(0.001, one.ends - self._clock()))
        self._sent += 1

    def _give_up(self, grant: Grant) -> None:
        """Let go of those whose time is over while they wait."""
        now, waiting = self._clock(), self._waiting[grant]
        late = [one for one in waiting if one.ends <= now]
        if late:
            self._waiting[grant] = [one for one in waiting if one.ends > now]
            self._done += [self._failed(one, failures.unauthorised("it did not come in time")) for one in late]
        if not self._waiting[grant]:
            del self._waiting[grant]

    def _taken(self, reply: Reply) -> Iterator[Reply]:
        """Yield what a reply of the transport means for those who sent something."""
        match reply.key:
            case _Fetch(grant):
                self._sent -= 1
                yield from self._fetched(grant, reply)
            case _Authorised() as one:
                self._sent -= 1
                yield from self._answered(one, reply)
            case _:
                yield reply

    def _fetched(self, grant: Grant, reply: Reply) -> Iterator[Reply]:
        result = _token(grant, reply)
        if isinstance(result, Failure):
            self._tokens.fail(grant)
            yield from (self._failed(one, result) for one in self._waiting.pop(grant, ()))
            return
        self._tokens.keep(grant, result)
        for one in self._waiting.pop(grant, ()):
            self._start(one, result.value)

    def _answered(self, one: _Authorised, reply: Reply) -> Iterator[Reply]:
        response = reply.response
        refused = response is not None and response.status_code == requests.codes.unauthorized
        if refused and not one.again and self._tokens.drop(one.grant, one.token):
            one.again = True
            self._wait(one)
            return
        if isinstance(response, CurlResponse):
            response.hide(one.token)
        yield reply._replace(key=one.key, ms=self._ms(one))

    def _failed(self, one: _Authorised, failure: Failure) -> Reply:
        return Reply(one.key, self._ms(one), None, failure)

    def _ms(self, one: _Authorised) -> float:
        return (self._clock() - one.began) * 1000


def _token(grant: Grant, reply: Reply) -> Token | Failure:
    if reply.response is not None:
        try:
            return grant.read(reply.response)
        except NoToken as error:
            return failures.unauthorised(str(error))
    if reply.failure is None or reply.failure.kind is OutcomeName.BLOCKED:
        return reply.failure or failures.unauthorised("no reply")
    return failures.unauthorised(f"the token endpoint: {reply.failure.reason}")
