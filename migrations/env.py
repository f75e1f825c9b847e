"""Alembic's entry: on the relay's own connection when it migrates itself, else on the database of the environment."""

from alembic import context
from sqlalchemy import Connection

from relay import config
from relay.store.database import Database
from relay.store.tables import metadata


def run(connection: Connection) -> None:
    """Run what is asked for, all of it in the transaction of `connection`."""
    if connection.dialect.name == "postgresql":
        # A migration that cannot get its lock at once must not stand in the way of those who work.
        connection.exec_driver_sql("SET LOCAL lock_timeout = '5s'")
        connection.exec_driver_sql("SET LOCAL statement_timeout = '10min'")
    context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True, render_as_batch=False)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with Database(config.load().database).writing() as own:
        run(own)
