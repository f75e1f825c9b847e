"""A small shop, mapped in most of the ways in which SQLAlchemy can map one."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    Computed,
    DateTime,
    FetchedValue,
    ForeignKey,
    LargeBinary,
    Numeric,
    String,
    Text,
    func,
    select,
    text,
)
from sqlalchemy.dialects.mysql import LONGTEXT
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.ext.mutable import MutableDict
from sqlalchemy.orm import DeclarativeBase, Mapped, column_property, deferred, mapped_column, relationship

from relay import capture

# MariaDB wants to know how long text may be.
TEXT = String().with_variant(String(255), "mysql", "mariadb")


class Base(DeclarativeBase):
    """Everything here is watched, but for `Note`."""

    type_annotation_map = {str: TEXT}  # noqa: RUF012  declarative's own way


class Status(Enum):
    """Stored by name; the values never reach the database."""

    NEW = "n"
    PAID = "p"


class Customer(Base):
    """Secrets, and a column of its own choosing."""

    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str | None]
    password_hash: Mapped[str | None]
    phone: Mapped[str | None] = mapped_column(info={"relay": "mask"})
    notes: Mapped[str | None] = mapped_column(info={"relay": "exclude"})


class Order(Base):
    """Children by every cascade, a count of them, and a name that differs from its column's."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column("status")
    total: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customers.id"))
    customer: Mapped[Customer | None] = relationship()
    lines: Mapped[list["Line"]] = relationship(cascade="all, delete-orphan")
    parcels: Mapped[list["Parcel"]] = relationship()

    @hybrid_property
    def paid(self) -> bool:
        """Not a column."""
        return self.state == "paid"


class Line(Base):
    """A composite key, of which one part is text."""

    __tablename__ = "lines"
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    sku: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int] = mapped_column(default=1)


class Parcel(Base):
    """A child that outlives its order."""

    __tablename__ = "parcels"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int | None] = mapped_column(ForeignKey("orders.id"))


Order.line_count = column_property(
    select(func.count(Line.sku)).where(Line.order_id == Order.id).correlate_except(Line).scalar_subquery()
)


class Stamped(Base):
    """What the database and the mapper fill in, on insert and on update."""

    __tablename__ = "stamped"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    colour: Mapped[str] = mapped_column(server_default="green")
    size: Mapped[int] = mapped_column(default=3)
    edits: Mapped[int] = mapped_column(server_default=text("0"))
    shouted: Mapped[str] = mapped_column(Computed("upper(name)"))
    version: Mapped[int] = mapped_column()
    touched: Mapped[str | None] = mapped_column(onupdate=lambda: "touched")
    renamed: Mapped[str | None] = mapped_column(onupdate=func.lower("RENAMED"))
    trigger: Mapped[str | None] = mapped_column(server_onupdate=FetchedValue())
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012  a mapper's arguments are a plain dict


class Document(Base):
    """One column of most types."""

    __tablename__ = "documents"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    status: Mapped[Status] = mapped_column(default=Status.NEW)
    price: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    due: Mapped[date | None]
    sent: Mapped[datetime | None] = mapped_column(DateTime)
    lasts: Mapped[timedelta | None]
    thumbnail: Mapped[bytes | None] = mapped_column(LargeBinary)
    tags: Mapped[dict[str, Any] | None] = mapped_column(MutableDict.as_mutable(JSON))
    raw: Mapped[Any] = mapped_column(JSON, nullable=True)
    body: Mapped[str | None] = deferred(mapped_column(Text().with_variant(LONGTEXT(), "mysql")))


class Person(Base):
    """The root of joined inheritance."""

    __tablename__ = "people"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "person"}  # noqa: RUF012


class Manager(Person):
    """A table of its own, joined."""

    __tablename__ = "managers"
    id: Mapped[int] = mapped_column(ForeignKey("people.id"), primary_key=True)
    bonus: Mapped[int | None]
    __mapper_args__ = {"polymorphic_identity": "manager"}  # noqa: RUF012


class Vehicle(Base):
    """The root of single-table inheritance."""

    __tablename__ = "vehicles"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "vehicle"}  # noqa: RUF012


class Car(Vehicle):
    """In the table of its parent."""

    doors: Mapped[int | None]
    __mapper_args__ = {"polymorphic_identity": "car"}  # noqa: RUF012


class Node(Base):
    """A row that points to another, which points back: SQLAlchemy writes it in two steps."""

    __tablename__ = "nodes"
    id: Mapped[int] = mapped_column(primary_key=True)
    best_id: Mapped[int | None] = mapped_column(ForeignKey("nodes.id"))
    best: Mapped["Node | None"] = relationship(remote_side="Node.id", post_update=True)


class Note(Base):
    """Not watched."""

    __tablename__ = "notes"
    id: Mapped[int] = mapped_column(primary_key=True)


capture.outbox(Base.metadata)
capture.watch(Customer, exclude={"password_hash"}, mask={Customer.email})
for model in (Order, Line, Parcel, Stamped, Document, Person, Vehicle, Node):
    capture.watch(model)
