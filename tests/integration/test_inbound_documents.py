"""Documents that signatures are checked against: when they are fetched, and how long they are kept."""

from collections.abc import Iterator
from contextlib import suppress

import pytest

from relay.errors import Unfetched
from relay.outbound.fetch import AGAIN, FRESH, STALE, Fetcher
from relay.outbound.guard import Guard
from relay.outbound.transport import Transport
from tests.support.sink import Sink
from tests.support.sink_server import Answer


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The clock of the fetcher."""
    return Clock()


@pytest.fixture
def fetcher(clock: Clock, sink: Sink) -> Iterator[Fetcher]:
    """A fetcher that may reach the sink."""
    transport = Transport(Guard(["127.0.0.1"]))
    sink.on("/keys", Answer(body="one"))
    yield Fetcher(lambda: transport, clock)
    transport.close()


def test_a_document_is_fetched_once_an_hour(fetcher: Fetcher, clock: Clock, sink: Sink) -> None:
    """What was fetched is at hand until it is old; then it is fetched again."""
    url = sink.url("/keys")
    assert fetcher.known(url, "") is None
    assert [fetcher.fetch(url, "one"), fetcher.fetch(url, ""), fetcher.known(url, "one")] == [b"one"] * 3
    assert len(sink.requests("/keys")) == 1
    clock.now += FRESH
    assert fetcher.known(url, "one") is None
    assert fetcher.fetch(url, "one") == b"one"
    assert len(sink.requests("/keys")) == 2


def test_a_key_that_is_missing_is_looked_for_once_a_minute(fetcher: Fetcher, clock: Clock, sink: Sink) -> None:
    """Rotated keys are found; whoever makes up names of keys has one request sent a minute."""
    url = sink.url("/keys")
    assert fetcher.fetch(url, "one") == b"one"
    sink.on("/keys", Answer(body="one two"))
    assert fetcher.fetch(url, "two") == b"one"
    clock.now += AGAIN
    assert [fetcher.fetch(url, "two"), fetcher.fetch(url, "three")] == [b"one two"] * 2
    assert len(sink.requests("/keys")) == 2


def test_an_old_document_serves_for_a_day(fetcher: Fetcher, clock: Clock, sink: Sink) -> None:
    """While nothing newer can be fetched the old one counts, but not for ever; failures are not repeated at once."""
    url = sink.url("/keys")
    assert fetcher.fetch(url, "") == b"one"
    sink.on("/keys", Answer(status=503))
    clock.now += FRESH
    assert [fetcher.fetch(url, ""), fetcher.fetch(url, "")] == [b"one"] * 2
    assert len(sink.requests("/keys")) == 2
    clock.now += STALE
    for _ in range(2):
        with pytest.raises(Unfetched):
            fetcher.fetch(url, "")
    assert len(sink.requests("/keys")) == 3


@pytest.mark.parametrize("answer", [Answer(status=404), Answer(status=302, headers={"location": "/keys"})])
def test_only_success_is_a_document(fetcher: Fetcher, sink: Sink, answer: Answer) -> None:
    """An error or a redirect is no document, and is not followed."""
    sink.on("/moved", answer)
    with pytest.raises(Unfetched):
        fetcher.fetch(sink.url("/moved"), "")
    with pytest.raises(Unfetched):
        fetcher.visit(sink.url("/moved"))
    assert sink.requests("/keys") == []


def test_private_addresses_are_refused(clock: Clock, sink: Sink) -> None:
    """The egress guard stands before documents as it does before targets."""
    transport = Transport(Guard())
    with pytest.raises(Unfetched):
        Fetcher(lambda: transport, clock).fetch(sink.url("/keys"), "")
    transport.close()
    assert sink.requests("/keys") == []


def test_strangers_cannot_make_the_relay_fetch_without_end(fetcher: Fetcher, clock: Clock, sink: Sink) -> None:
    """Made-up addresses are fetched a few times a second, whoever asks."""
    for number in range(50):
        with suppress(Unfetched):
            fetcher.fetch(sink.url(f"/made-up/{number}"), "never there")
    assert len([one for one in sink.requests() if one.path.startswith("/made-up")]) <= 6
