"""Fixtures that every test may ask for; each lives beside the server it starts, in `tests/support`."""

import os

from tests.support.applications import application_url
from tests.support.mariadb import mariadb, mariadb_database
from tests.support.postgres import pg_database, postgres, postgres_url
from tests.support.sink import sink, sink_process
from tests.support.valkey import redis_url, valkey

# Hundreds of processes are started: each would compile all of the relay again, a third of a second's work.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

__all__ = [
    "application_url",
    "mariadb",
    "mariadb_database",
    "pg_database",
    "postgres",
    "postgres_url",
    "redis_url",
    "sink",
    "sink_process",
    "valkey",
]
