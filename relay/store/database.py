"""The engine and its transactions, on PostgreSQL and on SQLite; on MariaDB and MySQL for applications' outboxes."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Engine,
    String,
    create_engine,
    event,
    func,
    make_url,
    select,
    true,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from relay.errors import InvalidConfiguration, StoreUnavailable

if TYPE_CHECKING:
    import psycopg

_CONNECT_SECONDS = 5
# Keepalives: a machine that vanishes without a word is noticed, and no step hangs on it for ever.
_PATIENCE = {"connect_timeout": _CONNECT_SECONDS, "keepalives_idle": 5, "tcp_user_timeout": 15_000}
_BUSY_SECONDS = 30
_STANDSTILL = "10s"
# PostgreSQL's documentation, appendix A: `deadlock_detected`, `undefined_table`, `undefined_column`.
_DEADLOCK = "40P01"
_UNDEFINED = ("42P01", "42703")
# SQLite has words alone: "no such table", "no such column".
_NO_SUCH = "no such "
# MariaDB and MySQL have numbers: ER_NO_SUCH_TABLE, ER_BAD_FIELD_ERROR.
_NUMBERS = (1146, 1054)
_ANSWER_SECONDS = 30

_HINTS = {
    False: "RELAY_DATABASE_URL is postgresql://user:password@host/name or sqlite:///path",
    True: "it is postgresql://user:password@host/name, mysql+pymysql://user:password@host/name or sqlite:///path",
}


class Refused(StoreUnavailable):
    """The database answered, and would not do what was asked."""


class Deadlock(StoreUnavailable):
    """Two transactions waited for each other, and this one was ended: the same again will do."""


class NotMigrated(StoreUnavailable):
    """The database does not have the tables of this version: run `relay migrate`."""


class Database:
    """One database: short transactions, and one error, `StoreUnavailable`, for whatever keeps it from answering.

    Of a foreign one, that may be anything: what its user may not do, or a table that is not the relay's.
    """

    def __init__(self, url: str, *, pool_size: int = 5, foreign: bool = False) -> None:
        """Connect lazily. A `foreign` database is an application's: its file is never made, its settings are kept."""
        self.engine = _engine(url, pool_size, foreign=foreign)
        self.is_postgresql = self.engine.dialect.name == "postgresql"
        # A server is asked without a transaction around it: two round trips less, and each question stands alone.
        is_sqlite = self.engine.dialect.name == "sqlite"
        self._alone = self.engine if is_sqlite else self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._readers = self._alone.execution_options(relay_readonly=True)
        name = self.engine.url.database
        self._file = Path(name) if is_sqlite and foreign and name and name != ":memory:" else None
        self._foreign = foreign

    @contextmanager
    def writing(self, *, hurried: bool = False, bounding: bool = False) -> Iterator[Connection]:
        """Open a transaction that writes; commits at its end. Raises `StoreUnavailable`.

        PostgreSQL ends it when nothing is heard of it for `_STANDSTILL`: a process that stands still keeps no locks. A
        `bounding` one asks for that itself, in a statement that it has anyway.

        A `hurried` one does not wait for PostgreSQL's disk. It is for what may be done again after a crash: any later
        commit that does wait makes it durable too, as the log is written in order.
        """
        with self._available(), self.engine.begin() as connection:
            if self.is_postgresql and not bounding:
                connection.execute(_HURRIED if hurried else _BOUND)
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a connection that only reads: on SQLite it waits for no writer. Raises `StoreUnavailable`."""
        with self._available(), self._readers.connect() as connection:
            yield connection

    @contextmanager
    def single(self) -> Iterator[Connection]:
        """Open a connection on which PostgreSQL commits each statement by itself: for a change that is one statement.

        A round trip in place of three. On SQLite, where there are none to save, it is `writing`.
        """
        if not self.is_postgresql:
            with self.writing() as connection:
                yield connection
            return
        with self.reading() as connection:
            yield connection

    @contextmanager
    def _available(self) -> Iterator[None]:
        if self._file is not None and not self._file.exists():
            raise StoreUnavailable(f"there is no file {self._file}")
        try:
            with _translated():
                yield
        except DBAPIError as error:
            if not self._foreign:
                raise
            raise Refused(f"the database refused: {_first_line(error)}") from error

    async def connect(self) -> "psycopg.AsyncConnection":
        """Return a connection to PostgreSQL for an event loop; it commits each statement. Raises `psycopg.Error`."""
        import psycopg

        arguments, options = self.engine.dialect.create_connect_args(self.engine.url)
        return await psycopg.AsyncConnection.connect(*arguments, **{**options, **_PATIENCE}, autocommit=True)

    def dispose(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def hurry() -> ColumnElement[str]:
    """Return what makes the transaction it is asked in a hurried one, on PostgreSQL; its value is `off`."""
    return func.set_config("synchronous_commit", "off", true(), type_=String)


def bound() -> ColumnElement[str]:
    """Return what makes PostgreSQL end the transaction it is asked in when nothing is heard of it any more."""
    return func.set_config("idle_in_transaction_session_timeout", _STANDSTILL, true(), type_=String)


_BOUND = select(bound())
_HURRIED = select(bound(), hurry())


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        if _NO_SUCH in str(error.orig if isinstance(error, DBAPIError) else "") or _number(error) in _NUMBERS:
            raise NotMigrated from error
        unavailable = Deadlock if _state(error) == _DEADLOCK else StoreUnavailable
        raise unavailable(f"the database did not answer: {_first_line(error)}") from error
    except DBAPIError as error:
        if _state(error) in _UNDEFINED or _number(error) in _NUMBERS:
            raise NotMigrated from error
        if error.connection_invalidated:
            raise StoreUnavailable(f"the database went away: {_first_line(error)}") from error
        raise


def _state(error: Exception) -> str | None:
    return getattr(error.__cause__, "sqlstate", None)


def _number(error: Exception) -> Any:
    return next(iter(getattr(error.__cause__, "args", ())), None)


def _first_line(error: Exception) -> str:
    """Return what a driver says, in one line; PyMySQL's errors are a number and the words."""
    cause = getattr(error, "orig", None) or error
    words = cause.args[1] if len(cause.args) == 2 and isinstance(cause.args[1], str) else cause
    return str(words).strip().split("\n")[0]


def _engine(url: str, pool_size: int, *, foreign: bool) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            engine = create_engine(parsed, connect_args={"timeout": _BUSY_SECONDS, "isolation_level": None})
            event.listen(engine, "connect", _prepare_foreign_sqlite if foreign else _prepare_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
            return engine
        if parsed.get_backend_name() == "postgresql":
            engine = create_engine(parsed, pool_size=pool_size, max_overflow=pool_size, connect_args=_PATIENCE)
            event.listen(engine, "connect", _prepare_postgresql)
            return engine
        if foreign and parsed.get_backend_name() in ("mysql", "mariadb"):
            return _mysql_engine(parsed, pool_size)
    except (ArgumentError, ImportError, ValueError) as error:
        raise InvalidConfiguration(
            f"the database's URL cannot be used: {_first_line(error)}",
            hint=_HINTS[foreign],
        ) from None
    raise InvalidConfiguration(f"the database's URL cannot be used: {parsed.get_backend_name()}", hint=_HINTS[foreign])


def _mysql_engine(url: URL, pool_size: int) -> Engine:
    if "+" not in url.drivername:
        url = url.set(drivername=f"{url.drivername}+pymysql")
    seconds = {"connect_timeout": _CONNECT_SECONDS, "read_timeout": _ANSWER_SECONDS, "write_timeout": _ANSWER_SECONDS}
    try:
        return create_engine(
            url,
            pool_size=pool_size,
            max_overflow=pool_size,
            # A server closes what is idle for hours.
            pool_pre_ping=True,
            # Rows that are deleted, and no gaps between them: applications write there.
            isolation_level="READ COMMITTED",
            connect_args=seconds if url.get_driver_name() == "pymysql" else {},
        )
    except ImportError:
        raise InvalidConfiguration(
            "MariaDB and MySQL are spoken to by PyMySQL, which is not installed", hint="pip install 'relay[mysql]'"
        ) from None


def _prepare_sqlite(connection: sqlite3.Connection, _: Any) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-16000"):
        connection.execute(f"PRAGMA {pragma}")


def _prepare_foreign_sqlite(connection: sqlite3.Connection, _: Any) -> None:
    connection.execute("PRAGMA synchronous=FULL")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later cannot be promoted under WAL: it would fail, not wait.
    readonly = connection.get_execution_options().get("relay_readonly")
    connection.exec_driver_sql("BEGIN" if readonly else "BEGIN IMMEDIATE")


def _prepare_postgresql(connection: Any, _: Any) -> None:
    from psycopg.types.string import TextLoader

    # Ids are text everywhere in the relay: a UUID object for each would only be turned back.
    connection.adapters.register_loader("uuid", TextLoader)
    # A plan is kept while a table grows: one that reads the whole of what is small now would soon read far too much.
    connection.autocommit = True
    connection.execute("SET random_page_cost = 1.1")
    connection.autocommit = False
