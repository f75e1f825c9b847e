"""A shop in FastAPI, with asynchronous sessions, whose orders the relay hears of.

Run it: SHOP_DATABASE_URL=sqlite+aiosqlite:///shop.db uvicorn app:app
"""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, Header, HTTPException
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from relay import capture


class Base(DeclarativeBase):
    """The shop's models."""


class Order(Base):
    """An order, as shops have them."""

    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(default="new")
    total: Mapped[int]


SessionLocal = async_sessionmaker()

capture.outbox(Base.metadata)  # one table more for the shop's own migrations
capture.watch(Order)
capture.install(SessionLocal, source="shop")


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Make the shop's tables."""
    engine = create_async_engine(os.environ["SHOP_DATABASE_URL"])
    SessionLocal.configure(bind=engine)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


async def session() -> AsyncIterator[AsyncSession]:
    """Give a request its session."""
    async with SessionLocal() as opened:
        yield opened


Given = Annotated[AsyncSession, Depends(session)]


@app.post("/orders")
async def take(total: int, session: Given) -> dict[str, int]:
    """Take an order: orders.created."""
    order = Order(total=total)
    session.add(order)
    await session.flush()
    number = order.id
    await session.commit()
    return {"id": number}


@app.post("/orders/{number}/pay")
async def pay(number: int, session: Given, x_user: Annotated[str, Header()] = "nobody") -> dict[str, str]:
    """Let an order be paid: orders.updated, by whom the request names."""
    order = await session.get(Order, number)
    if order is None:
        raise HTTPException(404)
    with capture.annotate(session, actor=x_user):
        order.status = "paid"
        await session.commit()
    return {"status": "paid"}


def main(url: str) -> None:
    """Take an order, and let it be paid."""
    from fastapi.testclient import TestClient

    os.environ["SHOP_DATABASE_URL"] = url
    with TestClient(app) as client:
        number = client.post("/orders", params={"total": 42}).json()["id"]
        client.post(f"/orders/{number}/pay", headers={"x-user": "ana"})


if __name__ == "__main__":
    main(sys.argv[1])
