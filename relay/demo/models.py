"""The shop's tables. The application knows nothing of the relay but three lines: watch, install, outbox."""

from datetime import datetime

from sqlalchemy import DateTime, ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from relay import capture

NEXT = {"placed": "paid", "paid": "packed", "packed": "shipped", "shipped": "delivered"}
"""The life of an order; what is placed may be cancelled instead."""

FINISHED = ("delivered", "cancelled")


class Base(DeclarativeBase):
    """The shop's metadata."""


class Customer(Base):
    """Somebody who buys; earns a point for each euro of a delivered order."""

    __tablename__ = "customers"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    email: Mapped[str] = mapped_column(String(200))
    points: Mapped[int] = mapped_column(default=0)


class Product(Base):
    """Something on the shelf: `price` in euros, `stock` in pieces."""

    __tablename__ = "products"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    price: Mapped[int]
    stock: Mapped[int]


class Order(Base):
    """One order of one product, with the names as they were when it was placed; `total` in euros."""

    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id))
    product_id: Mapped[int] = mapped_column(ForeignKey(Product.id))
    customer: Mapped[str] = mapped_column(String(100))
    product: Mapped[str] = mapped_column(String(100))
    quantity: Mapped[int]
    total: Mapped[int]
    status: Mapped[str] = mapped_column(String(20), default="placed")
    placed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


capture.watch(Order, exclude={"customer_id", "product_id"})
capture.watch(Product)
capture.watch(Customer, mask={"email"})
capture.outbox(Base.metadata)
