"""A shop in Flask-SQLAlchemy whose orders the relay hears of. Run it: SHOP_DATABASE_URL=sqlite:///shop.db flask run."""

import os
import sys

from flask import Flask, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from relay import capture


class Base(DeclarativeBase):
    """The shop's models."""


db = SQLAlchemy(model_class=Base)


class Order(db.Model):
    """An order, as shops have them."""

    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(default="new")
    total: Mapped[int]


capture.outbox(db.metadata)  # one table more for the shop's own migrations
capture.watch(Order)
capture.install(db.session, source="shop")


def create_app(url: str | None = None) -> Flask:
    """Return the shop, its tables made."""
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = url or os.environ["SHOP_DATABASE_URL"]
    db.init_app(app)
    app.post("/orders")(take)
    app.post("/orders/<int:number>/pay")(pay)
    with app.app_context():
        db.create_all()
    return app


def take() -> dict[str, int]:
    """Take an order: orders.created."""
    order = Order(total=request.get_json()["total"])
    db.session.add(order)
    db.session.commit()
    return {"id": order.id}


def pay(number: int) -> dict[str, str]:
    """Let an order be paid: orders.updated, by whom the request names."""
    order = db.get_or_404(Order, number)
    with capture.annotate(db.session, actor=request.headers.get("x-user", "nobody")):
        order.status = "paid"
        db.session.commit()
    return {"status": order.status}


def main(url: str) -> None:
    """Take an order, and let it be paid."""
    client = create_app(url).test_client()
    number = client.post("/orders", json={"total": 42}).get_json()["id"]
    client.post(f"/orders/{number}/pay", headers={"x-user": "ana"})


if __name__ == "__main__":
    main(sys.argv[1])
