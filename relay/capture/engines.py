"""Where capture listens below sessions: to each statement of each engine, for those that flushes know nothing of."""

import warnings
from collections.abc import Mapping
from typing import Any
from weakref import ReferenceType, WeakKeyDictionary, ref

from sqlalchemy import Connection, CursorResult, Delete, Dialect, Engine, Insert, Table, Update, event
from sqlalchemy.orm import Session
from sqlalchemy.sql.selectable import TextualSelect

from relay.capture import bulk, inserts
from relay.capture.cascades import fallout, reaches, watched_beyond
from relay.capture.dialects import is_mysql
from relay.capture.errors import CaptureError, CaptureWarning
from relay.capture.installation import Installation, ledger_of, open_ledger
from relay.capture.ledger import Ledger
from relay.capture.marks import has_triggers, mark, sweep, unmark
from relay.capture.opaque import written
from relay.capture.presence import look
from relay.capture.registry import mapper_of
from relay.capture.statements import Parameters, Under, others, table_of

_WRITES = (Insert, Update, Delete)
_sessions: WeakKeyDictionary[Connection, ReferenceType[Session]] = WeakKeyDictionary()
# A dialect is what an engine shares with its copies that have other options.
_installations: WeakKeyDictionary[Dialect, Installation] = WeakKeyDictionary()


def listen_to_engine(engine: Engine, installation: Installation) -> None:
    """Take notice of what this engine writes, within captured sessions and outside of them."""
    if not event.contains(Engine, "before_execute", _before_execute):
        event.listen(Engine, "before_execute", _before_execute, retval=True)
        event.listen(Engine, "after_execute", _after_execute)
        event.listen(Engine, "before_cursor_execute", _before_cursor_execute, retval=True)
        event.listen(Engine, "after_cursor_execute", _after_cursor_execute)
        event.listen(Engine, "begin", _begin)
    _installations[engine.dialect] = installation


def attach(connection: Connection, session: Session, ledger: Ledger, installation: Installation) -> None:
    """Let what runs on this connection belong to the transaction of `session`."""
    if connection.dialect not in _installations:
        listen_to_engine(connection.engine, installation)
    look(connection)
    _sessions[connection] = ref(session)
    ledger.connections.append(connection)


def detach(ledger: Ledger) -> None:
    """Let a session's connections be on their own again: its transaction has ended."""
    for connection in ledger.connections:
        _sessions.pop(connection, None)
    ledger.connections.clear()


def _begin(connection: Connection) -> None:
    if connection.dialect in _installations and is_mysql(connection):
        sweep(connection)


def _session(connection: Connection) -> Session | None:
    owner = _sessions.get(connection)
    return None if owner is None else owner()


def _before_execute(
    connection: Connection, statement: Any, many: Any, one: Any, options: Mapping[str, Any]
) -> tuple[Any, Any, Any]:
    if not isinstance(statement, _WRITES) or connection.dialect not in _installations:
        return statement, many, one
    table = table_of(statement)
    mapper = None if table is None else mapper_of(table)
    if isinstance(statement, Update) and options.get("relay") != "ignore" and is_mysql(connection):
        _check_others(statement)
    if table is not None and isinstance(statement, Delete) and options.get("relay") != "ignore" and reaches(table):
        _cascade(connection, statement, table, list(many) or ([one] if one else []))
    if table is None or mapper is None:
        return statement, many, one
    session = _session(connection)
    ledger = None if session is None else ledger_of(session)
    if ledger is not None:
        mark(connection, table.fullname, ledger.marked)
    if options.get("relay") == "ignore":
        return statement, many, one
    if ledger is None:
        _unseen(connection, str(table), "outside of the sessions that capture is installed in")
    elif not (ledger.flushing and options.get("compiled_cache") is not None):
        parameters: Parameters = list(many) or ([one] if one else [])
        ledger.under = bulk.begin(connection, statement, mapper, parameters)
        statement = ledger.under.statement
    return statement, many, one


def _cascade(connection: Connection, statement: Delete, table: Table, parameters: Parameters) -> None:
    """Note what a DELETE is about to do to watched rows of other tables."""
    session = _session(connection)
    ledger = None if session is None else ledger_of(session)
    if session is None or ledger is None:
        for reached in watched_beyond(table):
            _unseen(connection, str(reached), f"by foreign keys to {table}, whose rows go outside of captured sessions")
        return
    found = fallout(connection, statement, parameters)
    savepoint = session.get_nested_transaction()
    ledger.record(savepoint, found.rows)
    for summary in found.summaries:
        ledger.sum_up(savepoint, summary)


def _check_others(statement: Update) -> None:
    for table in others(statement):
        if mapper_of(table) is not None:
            raise CaptureError(
                f"{table} is watched, and is written by an UPDATE of {statement.table}: update each by itself, or say "
                f"that it is meant with the execution option relay='ignore'"
            )


def _after_execute(
    connection: Connection, statement: Any, _many: Any, _one: Any, _options: Any, result: CursorResult[Any]
) -> None:
    if not isinstance(statement, _WRITES) or (under := _under(connection)) is None:
        return
    session = _session(connection)
    ledger = None if session is None else open_ledger(session)
    if session is None or ledger is None or under.statement is not statement:
        return
    ledger.under = None
    savepoint = session.get_nested_transaction()
    bulk.finish(under, result, ledger, savepoint)
    if ledger.closing and savepoint is None:
        # Another listener's statement, after the events were written.
        ledger.write()


def _before_cursor_execute(
    connection: Connection, _cursor: Any, sql: str, parameters: Any, context: Any, executemany: bool
) -> tuple[str, Any]:
    if connection.dialect not in _installations:
        return sql, parameters
    compiled = context.compiled
    if compiled is None or compiled.statement is None or _opaque(compiled):
        _check(connection, sql, context)
    under = _under(connection)
    if under is not None and under.asks and not executemany and context.isinsert:
        sql = inserts.returning(under, context, sql)
    return sql, parameters


def _after_cursor_execute(
    connection: Connection, cursor: Any, _sql: str, _parameters: Any, context: Any, _executemany: bool
) -> None:
    under = _under(connection)
    if under is not None and under.tail and context.isinsert:
        inserts.take_keys(under, cursor, context)


def _under(connection: Connection) -> Under | None:
    session = _session(connection)
    ledger = None if session is None else open_ledger(session)
    return None if ledger is None else ledger.under


def _opaque(compiled: Any) -> bool:
    """Say whether SQL may write a table that its statement does not show: text, or a part of it that goes first."""
    text = getattr(compiled, "isplaintext", False) or isinstance(compiled.statement, TextualSelect)
    return bool(text or getattr(compiled, "ctes", None))


def _check(connection: Connection, sql: str, context: Any) -> None:
    if context.execution_options.get("relay") == "ignore":
        return
    names = list(written(sql))
    statement = None if context.compiled is None else context.compiled.statement
    known = table_of(statement) if isinstance(statement, _WRITES) else None
    if known is not None and known.name in names:
        names.remove(known.name)
    if names and has_triggers(connection):
        if (session := _session(connection)) is not None and (ledger := open_ledger(session)) is not None:
            unmark(connection, ledger.marked)
        return
    for name in names:
        _unseen(connection, name, "by SQL that shows capture no rows")


def _unseen(connection: Connection, table: str, how: str) -> None:
    if has_triggers(connection):
        return
    message = (
        f"{table} is watched, and is written {how}: use objects, insert(), update() or delete() in a captured session, "
        f"or say that it is meant with the execution option relay='ignore'"
    )
    if _installations[connection.dialect].strict:
        raise CaptureError(message)
    warnings.warn(message, CaptureWarning, stacklevel=2)
