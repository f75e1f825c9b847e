"""Notifications by apprise, with real requests: sent in threads, in time, and to no private address."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from relay.domain.delivery import Attempt
from relay.domain.errand import Notice
from relay.outbound.guard import Guard
from relay.outbound.notices import Notices
from relay.outbound.transport import Reply
from tests.support.engine import Engine, engine
from tests.support.processes import eventually
from tests.support.sink import Sink
from tests.support.sink_server import Answer

__all__ = ["engine"]


def toml(sink: Sink, path: str, **options: Any) -> str:
    """A target of relay.toml that tells the sink, with a route for every event."""
    known = {"url": f'"json://ana:the-password@127.0.0.1:{sink.port}{path}"', "retry": '["1h"]'}
    lines = "\n".join(f"{name} = {value}" for name, value in (known | options).items())
    route = '[[routes]]\nname = "all"\nsources = ["shop"]\nto = ["else"]\n'
    return f'[[targets]]\nname = "else"\nkind = "apprise"\n{lines}\n{route}'


def sent(engine: Engine) -> Attempt:
    """Send an event about a row; return its attempt."""
    engine.record("orders/1")
    engine.drain()
    (delivery,) = engine.deliveries()
    (attempt,) = engine.relay.deliveries.attempts_of(delivery.id)
    return attempt


def test_a_service_takes_it(engine: Engine, sink: Sink) -> None:
    """Title, words and mood arrive; the attempt is a success like any other."""
    sink.on("/hook")
    engine.configure(toml(sink, "/hook"))
    attempt = sent(engine)
    assert (attempt.outcome, attempt.status, attempt.error) == ("delivered", 200, None)
    (request,) = sink.requests("/hook")
    told = request.json()
    assert (told["title"], told["type"]) == ("orders.updated", "info")
    assert "number: 0" in told["message"]


def test_a_service_that_refuses(engine: Engine, sink: Sink) -> None:
    """What apprise has to say of it is in the error, without the address; it is tried again."""
    sink.on("/hook", Answer(status=500))
    engine.configure(toml(sink, "/hook"))
    attempt = sent(engine)
    assert attempt.outcome == "unsent"
    assert "500" in (attempt.error or "")
    assert "the-password" not in str(attempt)
    assert engine.deliveries()[0].state == "pending"


def test_a_redirect_is_not_followed(engine: Engine, sink: Sink) -> None:
    """Nobody goes where a service points."""
    sink.on("/hook", Answer(status=302, headers={"Location": sink.url("/elsewhere")}))
    engine.configure(toml(sink, "/hook"))
    assert sent(engine).outcome == "unsent"
    assert not sink.requests("/elsewhere")


def test_a_service_that_hangs_is_given_up(engine: Engine, sink: Sink) -> None:
    """After the target's timeout the attempt is over, whatever the thread is doing."""
    sink.on("/hook", Answer(manner="drip"))
    engine.configure(toml(sink, "/hook", timeout='"400ms"'))
    attempt = sent(engine)
    assert (attempt.outcome, attempt.error) == ("timeout", "no complete response within 0.4 s")


def collected(notices: Notices) -> Reply:
    """Return the one reply to come."""
    found: list[Reply] = []
    eventually(lambda: bool(found.extend(notices.collect()) or found))
    assert not notices.in_flight
    return found[0]


@pytest.mark.parametrize("spelling", ["127.0.0.1", "localhost", "0.0.0.0", "127.1", "2130706433", "0x7f.1"])
def test_private_addresses_are_refused_however_they_are_written(sink: Sink, spelling: str) -> None:
    """The guard sees the address that is connected to; nothing arrives there."""
    notices = Notices(Guard())
    notices.send(1, Notice(f"json://{spelling}:{sink.port}/hook", "t", "b", "info"), 5)
    reply = collected(notices)
    assert reply.failure is not None
    assert reply.failure.kind in ("blocked", "unsent")
    assert sink.count() == 0


def test_a_thread_starts_no_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A service that would run something is stopped; outside of its threads nothing is changed."""

    def run(*_: Any) -> bool:
        subprocess.run(["touch", str(tmp_path / "ran")], check=True)
        return True

    monkeypatch.setattr("relay.outbound.notices._notify", run)
    notices = Notices(Guard())
    notices.send(1, Notice("json://x.example/", "t", "b", "info"), 5)
    reply = collected(notices)
    assert reply.failure is not None
    assert "PermissionError" in reply.failure.reason
    assert not (tmp_path / "ran").exists()
    assert os.getpid() == int(subprocess.run(["sh", "-c", "echo $PPID"], check=True, capture_output=True).stdout)
