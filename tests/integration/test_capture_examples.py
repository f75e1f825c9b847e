"""The examples do what they say."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import MetaData, create_engine, select

from relay import capture

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = ("plain_sqlalchemy", "flask_sqlalchemy", "fastapi", "sqlmodel")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_examples(name: str, kind: str, request: pytest.FixtureRequest, tmp_path: Path):
    """An example writes its two events, who did it among them, and nothing that it keeps to itself."""
    url = f"sqlite:///{tmp_path}/shop.db" if kind == "sqlite" else request.getfixturevalue("pg_database")
    own = url if name != "fastapi" else url.replace("sqlite:", "sqlite+aiosqlite:").replace("sql:", "sql+asyncpg:")
    subprocess.run([sys.executable, EXAMPLES / name / "app.py", own], check=True, cwd=tmp_path)
    outbox = capture.outbox(MetaData())
    engine = create_engine(url)
    with engine.connect() as connection:
        created, updated = connection.execute(select(outbox).order_by(outbox.c.seq)).all()
    engine.dispose()
    assert (created.type, created.subject, created.source) == ("orders.created", "orders/1", "shop")
    assert json.loads(created.data)["after"] == {"id": 1, "status": "new", "total": 42}
    assert updated.type == "orders.updated"
    assert json.loads(updated.data)["changed"] == ["status"]
    assert json.loads(updated.data)["meta"] == {"actor": "ana"}


def test_every_example_is_run():
    """No example is left untried."""
    assert {path.parent.name for path in EXAMPLES.glob("*/app.py")} == set(NAMES)
