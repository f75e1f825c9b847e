"""A database that hangs, a web process that is asked to end: nobody is left without an answer, and none is wrong."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import psycopg
import pytest

from tests.support.postgres import Postgres
from tests.support.processes import HOST, eventually
from tests.support.relay import RunningRelay
from tests.support.valkey import Valkey

SENDERS = 12
CONFIGURATION = '[[sources]]\nname = "open"\nverify = "none"\n'


@pytest.fixture
def relay(tmp_path: Path, postgres: Postgres, pg_database: str, valkey: Valkey) -> Iterator[RunningRelay]:
    """A relay's web process on PostgreSQL."""
    running = RunningRelay(tmp_path, database=pg_database, broker=valkey.start().url)
    try:
        running.cli("migrate").succeeds()
        running.apply(CONFIGURATION).succeeds()
        running.start_web()
        yield running
    finally:
        running.close()


@contextmanager
def hanging(relay: RunningRelay) -> Iterator[None]:
    """Keep the relay's database from storing any event."""
    with psycopg.connect(relay.database) as connection:
        connection.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
        yield


def send_all(relay: RunningRelay) -> list[HTTPConnection]:
    """Send an event for each sender at once, and return their connections once the relay has read them all."""
    senders = [HTTPConnection(HOST, relay.port, timeout=60) for _ in range(SENDERS)]
    for number, sender in enumerate(senders):
        headers = {"content-type": "application/json", "idempotency-key": f"k{number}"}
        sender.request("POST", "/in/open", b"{}", headers)
    # What has arrived is accepted and read within a few turns of the event loop; each of these answers is one at least.
    for _ in range(20):
        assert relay.http.get(f"{relay.base}/healthz", timeout=20).status_code == 200
    return senders


def test_a_database_that_hangs(relay: RunningRelay) -> None:
    """Senders hear 503 and when to come back, not nothing; what they then send again is stored once."""
    with hanging(relay):
        answers = [sender.getresponse() for sender in send_all(relay)]
        assert {answer.status for answer in answers} == {503}
        assert {answer.getheader("retry-after") for answer in answers} == {"5"}
    again = [relay.post("open", headers={"idempotency-key": f"k{n}"}) for n in range(SENDERS)]
    assert {answer.status_code for answer in again} <= {200, 202}
    assert len({answer.json()["id"] for answer in again}) == SENDERS
    assert relay.rows("SELECT count(*) FROM events") == [(SENDERS,)]


def test_who_was_read_is_answered(relay: RunningRelay) -> None:
    """A web process that is asked to end in the middle of its work stores and answers what it has read, then ends."""
    web = relay.children["web"]
    with hanging(relay):
        senders = send_all(relay)
        web.process.terminate()
        eventually(lambda: not relay.ready())
        assert web.running
    answers = [sender.getresponse() for sender in senders]
    assert {answer.status for answer in answers} == {202}
    ids = {json.load(answer)["id"] for answer in answers}
    assert {str(row[0]) for row in relay.rows("SELECT id FROM events")} == ids
    eventually(lambda: not web.running)
    assert "Traceback" not in web.text
