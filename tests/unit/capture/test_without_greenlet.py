"""Capture in an application that has SQLAlchemy and nothing else."""

import subprocess
import sys

APPLICATION = """
import sys
sys.modules["greenlet"] = None
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker
from relay import capture

class Base(DeclarativeBase): pass
class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)

engine = create_engine("sqlite://")
outbox = capture.outbox(Base.metadata)
Base.metadata.create_all(engine)
capture.watch(Order)
Session = sessionmaker(engine)
capture.install(Session, source="shop", wake="")
with Session() as session, capture.annotate(session, actor="ana"):
    session.add(Order(id=1))
    session.commit()
with engine.connect() as connection:
    print(connection.scalar(select(outbox.c.type)))
"""


def test_capture_needs_no_greenlet() -> None:
    """An application without asyncio, and so without greenlet, is captured all the same."""
    done = subprocess.run([sys.executable, "-c", APPLICATION], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout.strip()) == (0, "orders.created"), done.stderr
