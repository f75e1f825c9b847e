"""What applications bring along: a database of their own, of any kind that is watched."""

from pathlib import Path

import pytest


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def application_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an application's empty database, of each kind."""
    match request.param:
        case "sqlite":
            return f"sqlite:///{tmp_path}/shop.db"
        case "postgresql":
            return str(request.getfixturevalue("pg_database"))
        case _:
            return str(request.getfixturevalue("mariadb_database"))
