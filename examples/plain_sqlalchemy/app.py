"""A shop in plain SQLAlchemy whose orders the relay hears of. Run it: python app.py sqlite:///shop.db."""

import sys

from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

from relay import capture


class Base(DeclarativeBase):
    """The shop's models."""


class Order(Base):
    """An order, as shops have them."""

    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(default="new")
    total: Mapped[int]
    card_number: Mapped[str | None]


SessionLocal = sessionmaker()

capture.outbox(Base.metadata)  # one table more for the shop's own migrations
capture.watch(Order, exclude={"card_number"})
capture.install(SessionLocal, source="shop")


def main(url: str) -> None:
    """Take an order, and let it be paid."""
    engine = create_engine(url)
    Base.metadata.create_all(engine)
    with SessionLocal(bind=engine) as session:
        order = Order(total=42, card_number="4242 4242 4242 4242")
        session.add(order)
        session.commit()  # orders.created
        with capture.annotate(session, actor="ana"):
            order.status = "paid"
            session.commit()  # orders.updated, by ana
    engine.dispose()


if __name__ == "__main__":
    main(sys.argv[1])
