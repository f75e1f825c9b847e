"""A shop in SQLModel whose orders the relay hears of. Run it: python app.py sqlite:///shop.db."""

import sys

from sqlalchemy.orm import sessionmaker
from sqlmodel import Field, Session, SQLModel, create_engine

from relay import capture


class Order(SQLModel, table=True):
    """An order, as shops have them."""

    __tablename__ = "orders"

    id: int | None = Field(default=None, primary_key=True)
    status: str = "new"
    total: int


SessionLocal = sessionmaker(class_=Session)

capture.outbox(SQLModel.metadata)  # one table more for the shop's own migrations
capture.watch(Order)
capture.install(SessionLocal, source="shop")


def main(url: str) -> None:
    """Take an order, and let it be paid."""
    engine = create_engine(url)
    SQLModel.metadata.create_all(engine)
    with SessionLocal(bind=engine) as session:
        order = Order(total=42)
        session.add(order)
        session.commit()  # orders.created
        with capture.annotate(session, actor="ana"):
            order.status = "paid"
            session.commit()  # orders.updated, by ana
    engine.dispose()


if __name__ == "__main__":
    main(sys.argv[1])
