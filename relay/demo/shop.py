"""The shop at work: every few seconds somebody orders, pays, packs, ships, receives or changes their mind."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random, SystemRandom
from typing import Any

from sqlalchemy import Engine, create_engine, event, func, select
from sqlalchemy.orm import Session, sessionmaker

from relay import capture
from relay.demo.configuration import SHOP
from relay.demo.models import FINISHED, NEXT, Base, Customer, Order, Product

FIRST_ORDER = 1001
MAX_OPEN = 6
MAX_FINISHED = 20
"""Finished orders that are kept; older ones are deleted, one at a time."""

LOW = 2
"""Pieces of a product at which it is ordered again."""

DELIVERY = 12
"""Pieces that come when a product was ordered again."""

CUSTOMERS = ("Ana Martins", "Bo Lindqvist", "Chidi Okafor", "Dalia Haddad", "Emil Novak", "Farah Siddiqui")

PRODUCTS = (
    ("Cold brew kit", 38, 9),
    ("Filter papers", 6, 14),
    ("Hand grinder", 64, 7),
    ("House espresso 1 kg", 27, 12),
    ("Stoneware cup", 14, 10),
)

ACTORS = {"paid": "payments", "packed": "Jonas", "shipped": "Mira", "delivered": "courier"}


class Shop:
    """The shop's business, one transaction at a time. `chance` decides what happens next."""

    def __init__(self, sessions: sessionmaker[Session], chance: Random) -> None:
        self._sessions = sessions
        self._chance = chance

    def open(self) -> None:
        """Fill the shelves of a new shop; one that was open before goes on as it is."""
        with self._sessions.begin() as session:
            if session.scalar(select(func.count(Product.id))):
                return
            session.add_all(Product(name=name, price=price, stock=stock) for name, price, stock in PRODUCTS)
            session.add_all(
                Customer(name=name, email=f"{name.split()[0].lower()}@example.com", points=0) for name in CUSTOMERS
            )

    def tick(self) -> None:
        """Do the next thing, in a transaction of its own."""
        with self._sessions.begin() as session:
            self._next(session)(session)

    def _next(self, session: Session) -> Callable[[Session], None]:
        finished = session.scalar(select(func.count(Order.id)).where(Order.status.in_(FINISHED))) or 0
        opened = (session.scalar(select(func.count(Order.id))) or 0) - finished
        if finished > MAX_FINISHED:
            return self._forget
        if (session.scalar(select(func.min(Product.stock))) or 0) <= LOW:
            return self._restock
        return self._place if opened < 2 or (opened < MAX_OPEN and self._chance.random() < 0.3) else self._advance

    def _place(self, session: Session) -> None:
        customer = self._chance.choice(session.scalars(select(Customer).order_by(Customer.id)).all())
        product = self._chance.choice(session.scalars(select(Product).order_by(Product.id)).all())
        quantity = self._chance.randint(1, LOW)
        product.stock -= quantity
        order = Order(
            id=max(session.scalar(select(func.max(Order.id))) or 0, FIRST_ORDER - 1) + 1,
            customer_id=customer.id,
            product_id=product.id,
            customer=customer.name,
            product=product.name,
            quantity=quantity,
            total=quantity * product.price,
            placed_at=datetime.now(UTC),
        )
        session.add(order)
        with capture.annotate(session, actor=customer.name):
            session.flush()

    def _advance(self, session: Session) -> None:
        waiting = select(Order).where(Order.status.not_in(FINISHED)).order_by(Order.id)
        order = self._chance.choice(session.scalars(waiting).all())
        if order.status == "placed" and self._chance.random() < 0.15:
            self._cancel(session, order)
            return
        order.status = NEXT[order.status]
        if order.status == "delivered":
            session.get_one(Customer, order.customer_id).points += order.total
        with capture.annotate(session, actor=ACTORS[order.status]):
            session.flush()

    def _cancel(self, session: Session, order: Order) -> None:
        order.status = "cancelled"
        session.get_one(Product, order.product_id).stock += order.quantity
        with capture.annotate(session, actor=order.customer):
            session.flush()

    def _restock(self, session: Session) -> None:
        product = session.scalars(select(Product).order_by(Product.stock)).first()
        if product is not None:
            product.stock += DELIVERY

    def _forget(self, session: Session) -> None:
        oldest = session.scalars(select(Order).where(Order.status.in_(FINISHED)).order_by(Order.id)).first()
        if oldest is not None:
            session.delete(oldest)


def run(database_url: str, interval: float, stop: threading.Event, chance: Random | None = None) -> None:
    """Keep a shop in `database_url`, doing one thing every `interval` seconds until `stop` is set.

    Makes the tables, the outbox among them, where they are missing.
    """
    engine = _engine(database_url)
    try:
        Base.metadata.create_all(engine)
        sessions = sessionmaker(engine)
        capture.install(sessions, source=SHOP)
        shop = Shop(sessions, chance or SystemRandom())
        shop.open()
        while not stop.wait(interval):
            shop.tick()
    finally:
        engine.dispose()


def _engine(database_url: str) -> Engine:
    engine = create_engine(database_url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_immediate)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA busy_timeout = 30000")


def _begin_immediate(connection: Any) -> None:
    # The relay empties the outbox meanwhile: a transaction that begins by reading could not write after that.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
