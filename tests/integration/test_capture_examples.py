"""The examples do what they say."""

import json
import subprocess
import sys
from pathlib import Path

from sqlalchemy import MetaData, create_engine, select

from relay import capture

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_plain_sqlalchemy(pg_database: str, tmp_path: Path):
    """The plain example writes its two events, without the card's number, on SQLite and on PostgreSQL."""
    outbox = capture.outbox(MetaData())
    for url in (f"sqlite:///{tmp_path}/shop.db", pg_database):
        subprocess.run([sys.executable, EXAMPLES / "plain_sqlalchemy" / "app.py", url], check=True)
        engine = create_engine(url)
        with engine.connect() as connection:
            created, updated = connection.execute(select(outbox).order_by(outbox.c.seq)).all()
        engine.dispose()
        assert (created.type, created.subject, created.source) == ("orders.created", "orders/1", "shop")
        assert json.loads(created.data)["after"] == {"id": 1, "status": "new", "total": 42}
        assert updated.type == "orders.updated"
        assert json.loads(updated.data)["changed"] == ["status"]
        assert json.loads(updated.data)["meta"] == {"actor": "ana"}
