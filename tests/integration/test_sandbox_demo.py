"""The demo: the shop's rows change, its events are captured, and its configuration says where they go."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import Session, sessionmaker

from relay import capture
from relay.capture import outbox
from relay.demo import configuration, run
from relay.demo.models import FINISHED, NEXT, Base, Order, Product
from relay.demo.shop import MAX_FINISHED, MAX_OPEN, Shop
from relay.domain.event import Event, encode
from relay.pipeline.configure import check
from relay.pipeline.configure.document import parse
from relay.pipeline.live import Live, compile_configuration
from relay.pipeline.rendering import compile_route
from relay.plugins import discover

BASE = "http://127.0.0.1:8000"


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A session on a shop that did a thousand things."""
    engine = create_engine(f"sqlite:///{tmp_path_factory.mktemp('shop') / 'shop.sqlite3'}")
    Base.metadata.create_all(engine)
    sessions = sessionmaker(engine)
    capture.install(sessions, source="shop")
    shop = Shop(sessions, Random(7))
    shop.open()
    for _ in range(1000):
        shop.tick()
    with sessions() as opened:
        yield opened
    engine.dispose()


def events(session: Session) -> list[Any]:
    """Return type, subject and data of every captured event."""
    table = outbox(Base.metadata)
    return [(row.type, row.subject, json.loads(row.data)) for row in session.execute(select(table)).all()]


def test_bounded(session: Session) -> None:
    """The shop goes on for ever in a few rows, and sells no more than it has."""
    counts: Counter[bool] = Counter(order.status in FINISHED for order in session.scalars(select(Order)))
    assert 0 < counts[False] <= MAX_OPEN
    assert 0 < counts[True] <= MAX_FINISHED + 1
    assert (session.scalar(select(func.min(Product.stock))) or 0) > 0


def test_life_of_orders(session: Session) -> None:
    """Every status follows the one before it; orders are created, updated and deleted by somebody."""
    seen = events(session)
    kinds = {kind for kind, _, _ in seen}
    assert {"orders.created", "orders.updated", "orders.deleted", "products.updated", "customers.updated"} <= kinds
    steps = {(data["before"]["status"], data["after"]["status"]) for kind, _, data in seen if kind == "orders.updated"}
    assert steps == {*NEXT.items(), ("placed", "cancelled")}
    assert {data["meta"]["actor"] for kind, _, data in seen if kind == "orders.updated"} >= {"payments", "Mira"}


def test_personal_data_stays(session: Session) -> None:
    """E-mail addresses are masked in events, the shop's own keys are left out."""
    texts = json.dumps(events(session))
    assert "@example.com" not in texts
    assert "customer_id" not in texts


def test_run_stops(tmp_path: Path) -> None:
    """The shop works until it is told to stop, and goes on where it was when started again."""
    url = f"sqlite:///{tmp_path / 'shop.sqlite3'}"
    for least in (5, 10):
        stop = threading.Event()
        worker = threading.Thread(target=run, args=(url, 0.005, stop, Random(1)))
        worker.start()
        engine = create_engine(url)
        while not _count(engine, least):
            stop.wait(0.02)
        stop.set()
        worker.join()
        engine.dispose()


def _count(engine: Any, least: int) -> bool:
    """Say whether the shop has seen `least` orders; the tables may not be there yet."""
    with engine.connect() as connection:
        if not engine.dialect.has_table(connection, "orders"):
            return False
        return bool((connection.scalar(select(func.max(Order.id))) or 1000) >= 1000 + least)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_process(tmp_path: Path, number: signal.Signals) -> None:
    """`python -m relay.demo` keeps a shop in the database it is given and ends cleanly at a signal."""
    path = tmp_path / "shop.sqlite3"
    command = [sys.executable, "-m", "relay.demo", f"sqlite:///{path}", "0.01"]
    child = subprocess.Popen(command, env=os.environ | {"PYTHONWARNINGS": "error"}, stderr=subprocess.PIPE)
    engine = create_engine(f"sqlite:///{path}")
    try:
        while child.poll() is None and not _count(engine, 2):
            threading.Event().wait(0.02)
    finally:
        child.send_signal(number)
        errors = child.communicate(timeout=30)[1]
        engine.dispose()
    assert (child.returncode, errors) == (0, b"")


@pytest.mark.parametrize("arguments", [[], ["sqlite://", "0"], ["sqlite://", "never"], ["sqlite://", "nan"]])
def test_wrong_usage(arguments: list[str]) -> None:
    """Words that do not fit are refused with status 2 before anything starts."""
    done = subprocess.run([sys.executable, "-m", "relay.demo", *arguments], capture_output=True, timeout=60)
    assert done.returncode == 2
    assert b"usage:" in done.stderr


@pytest.fixture(scope="module")
def live() -> Live:
    """The demo's configuration, checked and compiled."""
    document = parse(configuration(BASE, 'sqlite:////tmp/a "shop".sqlite3'), "demo.toml")
    return compile_configuration(check(document, discover(), compile_route), discover())


def test_configuration(live: Live) -> None:
    """The configuration passes every check; its targets are spaces of the sandbox, its database is the shop's."""
    assert list(live.targets) == ["sandbox", "finance"]
    assert len({target.target.pace for target in live.targets.values()}) == 2
    assert live.sources["demo"].options.verify == "none"
    assert [database.name for database in live.databases] == ["shop"]


@pytest.mark.parametrize(
    ("source", "kind", "before", "after", "routes"),
    [
        ("shop", "orders.created", None, {"status": "placed"}, {"sandbox": "orders"}),
        (
            "shop",
            "orders.updated",
            {"status": "placed"},
            {"status": "paid"},
            {"sandbox": "orders", "finance": "paid-orders"},
        ),
        ("shop", "orders.updated", {"status": "paid"}, {"status": "packed"}, {"sandbox": "orders"}),
        ("shop", "products.updated", {"stock": 5}, {"stock": 4}, {"sandbox": "low-stock"}),
        ("shop", "products.updated", {"stock": 4}, {"stock": 3}, {}),
        ("shop", "customers.updated", {"points": 1}, {"points": 2}, {}),
        ("demo", "anything", None, None, {"sandbox": "inbound"}),
    ],
)
def test_routes(live: Live, source: str, kind: str, before: Any, after: Any, routes: dict[str, str]) -> None:
    """Orders and webhooks come to the demo space, what is paid to finance, and low stock is told once."""
    now = datetime.now(UTC)
    event = Event("1", source, kind, now, now, body=encode({"before": before, "after": after}))
    assert {target: route.route.name for target, route in live.router.match(event)} == routes
