"""Many requests at a time over libcurl: `requests` in, `requests` out, and no exception for what the network does."""

import select
import time
from typing import Any, NamedTuple

import pycurl
import requests

from relay.domain.errand import Envelope, Means
from relay.outbound import failures
from relay.outbound.exchange import Exchange, Limits
from relay.outbound.failures import Failure
from relay.outbound.guard import Guard
from relay.outbound.mail import MailExchange
from relay.outbound.prepare import Preparer

__all__ = ["Limits", "Outgoing", "Reply", "Transport"]

KEPT_CONNECTIONS = 256
KEPT_HANDLES = 256


class Outgoing(NamedTuple):
    """A request to send; `key` comes back with its reply. `timeout` is in seconds, for everything.

    `means` is what it is sent with, where that is not the usual.
    """

    key: Any
    request: requests.PreparedRequest
    timeout: float
    means: Means | None = None


class Reply(NamedTuple):
    """What came of a request: exactly one of `response` and `failure`, after `ms` milliseconds."""

    key: Any
    ms: float
    response: requests.Response | None
    failure: Failure | None


class Transport:
    """Sends requests and collects their replies. One per thread that uses it, made after any fork.

    Connections stay open for the next request to the same place; over TLS they are HTTP/2 where the server offers it.
    Proxies named in the environment are ignored. Redirects come back as they are.
    """

    def __init__(self, guard: Guard, limits: Limits | None = None) -> None:
        self.in_flight = 0
        self._guard = guard
        self._limits = limits or Limits()
        self._preparer = Preparer()
        self._idle: list[Exchange] = []
        self._busy: dict[pycurl.Curl, Exchange] = {}
        self._stillborn: list[Reply] = []
        self._expires: float | None = None
        # poll() rather than epoll: as quick here, on every Unix, and it forgets a closed socket by itself.
        self._sockets = select.poll()
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, KEPT_CONNECTIONS)
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._remind)

    def send(self, key: Any, request: requests.Request, timeout: float) -> None:
        """Prepare and start a request; its reply comes out of `poll`, whatever is wrong with it."""
        try:
            prepared = self._preparer.prepare(request)
        except (requests.RequestException, ValueError) as error:
            self._refuse(key, failures.malformed(f"the request is malformed: {type(error).__name__}"))
        else:
            self.start(Outgoing(key, prepared, timeout, getattr(request, "means", None)))

    def start(self, outgoing: Outgoing) -> None:
        """Start a request; its reply comes out of `poll`, whatever is wrong with it."""
        exchange = self._exchange(outgoing.means)
        failure = exchange.load(outgoing.key, outgoing.request, outgoing.timeout)
        if failure is not None:
            exchange.curl.close()
            self._refuse(outgoing.key, failure)
            return
        self._busy[exchange.curl] = exchange
        self._multi.add_handle(exchange.curl)
        self.in_flight += 1

    def poll(self, wait: float) -> list[Reply]:
        """Return what has finished, at once if there is something; else wait at most `wait` seconds for the first.

        It waits although nothing is in flight, so that a loop around it never spins.
        """
        until = time.monotonic() + wait
        replies, self._stillborn = self._stillborn, []
        self.in_flight -= len(replies)
        while True:
            left = 0.0 if replies else until - time.monotonic()
            self._drive(max(0.0, left))
            self._collect(replies)
            if replies or left <= 0:
                return replies

    def close(self) -> None:
        """Drop what is in flight and close every connection."""
        for exchange in self._busy.values():
            self._multi.remove_handle(exchange.curl)
        for exchange in (*self._idle, *self._busy.values()):
            exchange.curl.close()
        self._idle.clear()
        self._busy.clear()
        self._stillborn.clear()
        self.in_flight = 0
        self._multi.close()

    def _refuse(self, key: Any, failure: Failure) -> None:
        self._stillborn.append(Reply(key, 0.0, None, failure))
        self.in_flight += 1

    def _drive(self, wait: float) -> None:
        """Let libcurl do what is due; wait at most so many seconds for something to be."""
        if self._expires is not None:
            wait = min(wait, max(0.0, self._expires - time.monotonic()))
        for descriptor, events in self._sockets.poll(wait * 1000):
            self._multi.socket_action(descriptor, _as_curl_says(events))
        if self._expires is not None and self._expires <= time.monotonic():
            self._expires = None
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)

    def _collect(self, replies: list[Reply]) -> None:
        left = 1
        while left:
            left, done, failed = self._multi.info_read()
            for curl in done:
                exchange = self._take(curl)
                ms, response = exchange.response()
                replies.append(Reply(exchange.key, ms, response, None))
                self._keep(exchange)
            for curl, code, message in failed:
                exchange = self._take(curl)
                if exchange.is_answered(code, message):
                    # Its status says all: a receiver that took the message may show a long page.
                    ms, response = exchange.response()
                    replies.append(Reply(exchange.key, ms, response, None))
                else:
                    ms, failure = exchange.failure(code, message)
                    replies.append(Reply(exchange.key, ms, None, failure))
                self._keep(exchange)

    def _take(self, curl: pycurl.Curl) -> Exchange:
        self._multi.remove_handle(curl)
        self.in_flight -= 1
        return self._busy.pop(curl)

    def _exchange(self, means: Means | None) -> Exchange:
        if means is None:
            return self._idle.pop() if self._idle else Exchange(self._guard, self._limits)
        kind: Any = MailExchange if isinstance(means, Envelope) else Exchange
        exchange: Exchange = kind(self._guard, self._limits, means)
        return exchange

    def _keep(self, exchange: Exchange) -> None:
        if exchange.usual and len(self._idle) < KEPT_HANDLES:
            self._idle.append(exchange)
        else:
            exchange.curl.close()

    def _watch(self, what: int, descriptor: int, multi: pycurl.CurlMulti, data: Any) -> None:
        """Watch a socket for what libcurl wants of it, or no more."""
        if what == pycurl.POLL_REMOVE:
            self._sockets.unregister(descriptor)
            return
        wanted = select.POLLIN if what & pycurl.POLL_IN else 0
        self._sockets.register(descriptor, wanted | (select.POLLOUT if what & pycurl.POLL_OUT else 0))

    def _remind(self, ms: int) -> None:
        """Note when libcurl wants to be called although nothing happened; -1 is never."""
        self._expires = None if ms < 0 else time.monotonic() + ms / 1000


def _as_curl_says(events: int) -> int:
    said = pycurl.CSELECT_IN if events & (select.POLLIN | select.POLLHUP) else 0
    said |= pycurl.CSELECT_OUT if events & select.POLLOUT else 0
    return said | (pycurl.CSELECT_ERR if events & (select.POLLERR | select.POLLNVAL) else 0)
