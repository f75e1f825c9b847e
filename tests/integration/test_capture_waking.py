"""After a commit the relay is woken: at once, once, and never at the application's expense."""

import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from kombu import Connection as BrokerConnection
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from relay import capture
from relay.capture.resp import Address, Connection
from relay.capture.wake import QUEUE, TOKEN, message, waker
from tests.support.certificates import write_certificate
from tests.support.processes import HOST, Child, eventually
from tests.support.valkey import Valkey


class Base(DeclarativeBase):
    """The application's models."""


class Parcel(Base):
    """What is watched."""

    __tablename__ = "parcels"
    id: Mapped[int] = mapped_column(primary_key=True)


capture.outbox(Base.metadata)
capture.watch(Parcel)

WORKER = """
import sys
from pathlib import Path
from celery import Celery

app = Celery(broker=sys.argv[1])
app.conf.update(task_default_queue="relay", worker_hijack_root_logger=False)

@app.task(name="relay.collect")
def collect():
    with Path(sys.argv[2]).open("a") as ran:
        ran.write("collected\\n")

app.worker_main(["worker", "--pool=solo", "--without-gossip", "--without-mingle", "--without-heartbeat"])
"""

FORKED = """
import os, sys, time
from relay.capture.wake import waker

parent = waker(sys.argv[1])
parent.nudge()
while not os.path.exists(sys.argv[2]):
    time.sleep(0.01)
if os.fork() == 0:
    parent.nudge()
    time.sleep(5)
    os._exit(0)
os.wait()
"""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """The application's database."""
    engine = create_engine(f"sqlite:///{tmp_path}/shop.db")
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def broker(redis_url: str) -> Iterator[Any]:
    """A client of an empty Valkey."""
    with redis.Redis.from_url(redis_url) as client:
        yield client


def sessions_of(engine: Engine, wake: str | None = None) -> sessionmaker[Session]:
    """Return captured sessions that wake the relay through `wake`."""
    factory = sessionmaker(engine)
    capture.install(factory, source="shop", wake=wake)
    return factory


def add(sessions: sessionmaker[Session]) -> None:
    """Commit a change."""
    with sessions.begin() as session:
        session.add(Parcel())


def woken(broker: Any, times: int = 1) -> bool:
    """Say whether this many messages wait for a worker."""
    return bool(broker.llen(QUEUE) == times)


def test_a_commit_wakes_once(engine: Engine, broker: Any, redis_url: str):
    """Commits that come close together queue one message, under a token that does not last."""
    sessions = sessions_of(engine, redis_url)
    for _ in range(5):
        add(sessions)
    eventually(lambda: woken(broker))
    assert 0 < broker.pttl(TOKEN) <= 3000

    broker.delete(TOKEN)
    add(sessions)
    eventually(lambda: woken(broker, 2))


def test_nothing_is_woken_for_nothing(engine: Engine, broker: Any, redis_url: str):
    """A rollback, a savepoint and a commit without change wake nobody."""
    sessions = sessions_of(engine, redis_url)
    with sessions() as session:
        session.add(Parcel())
        session.flush()
        session.rollback()
        with session.begin_nested():
            session.add(Parcel())
        assert not broker.exists(TOKEN)
        session.rollback()
        session.commit()
    add(sessions)
    eventually(lambda: woken(broker))


def test_the_environment_names_the_broker(engine: Engine, broker: Any, redis_url: str, monkeypatch: pytest.MonkeyPatch):
    """Without `wake=` the broker is the relay's own; an empty one wakes nobody."""
    monkeypatch.setenv("RELAY_BROKER_URL", redis_url)
    add(sessions_of(engine, wake=""))
    add(sessions_of(engine))
    eventually(lambda: woken(broker))


def test_kombu_reads_the_message(redis_url: str, broker: Any):
    """The message is one that kombu consumes and acknowledges."""
    broker.lpush(QUEUE, message())
    with BrokerConnection(redis_url) as connection, connection.SimpleQueue(QUEUE) as queue:
        received = queue.get(timeout=5)
        assert received.payload[:2] == [[], {}]
        assert (received.headers["task"], received.properties["delivery_tag"]) == (
            "relay.collect",
            received.delivery_tag,
        )
        received.ack()


def test_a_worker_runs_the_task(engine: Engine, broker: Any, redis_url: str, tmp_path: Path):
    """A real Celery worker collects after a commit, and goes on to do so."""
    ran = tmp_path / "ran"
    sessions = sessions_of(engine, redis_url)
    with Child([sys.executable, "-c", WORKER, redis_url, str(ran)], tmp_path / "worker.log") as worker:
        for times in (1, 2):
            broker.delete(TOKEN)
            add(sessions)
            eventually(lambda times=times: ran.exists() and ran.read_text().count("collected") == times, 60)
        assert "Traceback" not in worker.text


def test_the_broker_may_be_away(engine: Engine):
    """Commits go on without a broker, and wake the relay again when it is back."""
    valkey = Valkey()
    try:
        sessions = sessions_of(engine, valkey.url)
        add(sessions)
        valkey.start()
        with redis.Redis.from_url(valkey.url) as broker:

            def commit_and_look() -> bool:
                add(sessions)
                return woken(broker)

            eventually(commit_and_look, every=0.2)
            valkey.freeze()
            broker.connection_pool.disconnect()
            add(sessions)
            valkey.thaw()
            broker.delete(TOKEN, QUEUE)
            eventually(commit_and_look, every=0.2)
    finally:
        valkey.stop()


def test_a_forked_process_wakes_too(redis_url: str, broker: Any, tmp_path: Path):
    """A process that is forked from one that has woken the relay wakes it as well."""
    go = tmp_path / "go"
    with Child([sys.executable, "-c", FORKED, redis_url, str(go)], tmp_path / "log"):
        eventually(lambda: woken(broker))
        broker.delete(TOKEN)
        go.touch()
        eventually(lambda: woken(broker, 2))


def test_passwords_and_databases(redis_url: str, broker: Any):
    """A broker is entered with its password, into its database; without, it is an error like any other."""
    port = broker.connection_pool.connection_kwargs["port"]
    broker.config_set("requirepass", "p@ss")
    try:
        nudging = waker(f"redis://:p%40ss@{HOST}:{port}/3")
        assert nudging is not None
        nudging.nudge()
        with redis.Redis(port=port, password="p@ss", db=3) as third:
            eventually(lambda: woken(third))
        with pytest.raises(OSError, match="refused"):
            Connection(Address(HOST, port, 0, password="wrong"))
    finally:
        with redis.Redis(port=port, password="p@ss") as client:
            client.config_set("requirepass", "")


def terminate_tls(listener: socket.socket, context: ssl.SSLContext, port: int) -> None:
    """Let clients that speak TLS talk to a server that does not, one after another, until the listener is closed."""
    while True:
        try:
            accepted, _ = listener.accept()
            with (
                context.wrap_socket(accepted, server_side=True) as client,
                socket.create_connection((HOST, port)) as server,
            ):
                while words := client.recv(4096):
                    server.sendall(words)
                    client.sendall(server.recv(4096))
        except ssl.SSLError:
            continue
        except OSError:
            return


def test_tls(broker: Any, tmp_path: Path):
    """A broker behind TLS must prove who it is, to those that ask."""
    certificate = write_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    port = broker.connection_pool.connection_kwargs["port"]
    with socket.create_server((HOST, 0)) as listener:
        threading.Thread(target=terminate_tls, args=(listener, context, port), daemon=True).start()
        url = f"rediss://{HOST}:{listener.getsockname()[1]}/0"
        stranger, trusted, careless = (
            Address.parse(url + query) for query in ("", f"?ssl_ca_certs={certificate}", "?ssl_cert_reqs=none")
        )
        assert stranger is not None
        with pytest.raises(ssl.SSLError):
            Connection(stranger)
        for address in (trusted, careless):
            assert address is not None
            connection = Connection(address)
            assert connection.ask("PING") == "PONG"
            connection.close()
