"""Where capture listens: to mappers for the objects a flush writes, to sessions for the transactions around them."""

from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.orm import Mapper, Session, SessionTransaction, UOWTransaction, attributes

from relay.capture import engines
from relay.capture.installation import Installation, installation_of, installed, ledger_of, open_ledger
from relay.capture.ledger import Ledger
from relay.capture.snapshot import Before, State, known, of_new, of_replaced, of_stored


def listen_to_sessions(sessions: type[Session], installation: Installation) -> None:
    """Capture what sessions of this class write; told again, only the installation changes."""
    listening = any(base in installed for base in sessions.__mro__)
    installed[sessions] = installation
    if listening:
        return
    event.listen(sessions, "after_begin", _after_begin)
    event.listen(sessions, "after_flush", _after_flush)
    event.listen(sessions, "before_commit", _before_commit)
    event.listen(sessions, "after_commit", _after_commit)
    event.listen(sessions, "after_transaction_end", _after_transaction_end)


def listen_to_model(model: type) -> None:
    """Take notice of each object of this class, or of one that inherits from it, just before it is flushed."""
    for name, hook in (
        ("before_insert", _before_insert),
        ("before_update", _before_update),
        ("before_delete", _before_delete),
    ):
        event.listen(model, name, hook, raw=True, propagate=True)


def _ledger(state: State) -> tuple[Session, Ledger] | None:
    session = state.session
    if session is None:
        return None
    ledger = open_ledger(session) or ledger_of(session)
    return None if ledger is None else (session, ledger)


def _before_insert(_mapper: Mapper[Any], connection: Connection, state: State) -> None:
    if (found := _ledger(state)) is None:
        return
    session, ledger = found
    before = of_new(state, connection)
    identity = tuple(state.dict.get(key) for key in before.shape.keys)
    if None not in identity:
        stored = session.identity_map.get(state.mapper.identity_key_from_primary_key(identity))
        if stored is not None:
            before = of_replaced(state, attributes.instance_state(stored), connection)
    ledger.flushing[state] = before


def _before_update(_mapper: Mapper[Any], connection: Connection, state: State) -> None:
    if (found := _ledger(state)) is not None:
        _note(*found, connection, state)


def _before_delete(_mapper: Mapper[Any], connection: Connection, state: State) -> None:
    if (found := _ledger(state)) is not None:
        _note(*found, connection, state).gone = True


def _note(session: Session, ledger: Ledger, connection: Connection, state: State) -> Before:
    """Note what is stored of an object; where that takes a read, read for those that follow in this flush too."""
    before = ledger.flushing.get(state) or ledger.ahead.pop(state, None)
    if before is None:
        before = known(state, connection)
        if before.gaps:
            before, *others = of_stored([state, *_siblings(session, ledger, state)], connection)
            ledger.ahead.update((other.state, other) for other in others)
    before.written |= frozenset(state.committed_state)
    ledger.flushing[state] = before
    return before


def _siblings(session: Session, ledger: Ledger, state: State) -> list[State]:
    changed = map(attributes.instance_state, [*session.dirty, *session.deleted])
    base = state.mapper.base_mapper
    return [s for s in changed if s is not state and s.mapper.base_mapper is base and s not in ledger.flushing]


def _after_begin(session: Session, _transaction: SessionTransaction, connection: Connection) -> None:
    installation, ledger = installation_of(session), ledger_of(session)
    if installation is not None and ledger is not None:
        engines.attach(connection, session, ledger, installation)


def _after_flush(session: Session, _context: UOWTransaction) -> None:
    ledger = open_ledger(session)
    if ledger is None or not ledger.flushing:
        return
    flushed = list(ledger.flushing.values())
    # A row goes before another takes its primary key, in whatever order the flush came upon them.
    saved = [(before, before.saved()) for before in flushed if not before.gone]
    rows = [before.removed() for before in flushed if before.gone]
    rows += [before.removed() for before, row in saved if before.state.key and before.identity != row.identity]
    rows += [row for _, row in saved]
    ledger.forget_flush()
    savepoint = session.get_nested_transaction()
    ledger.record(savepoint, rows)
    if ledger.closing and savepoint is None:
        # Another listener's flush, after the events were written.
        ledger.write()


def _before_commit(session: Session) -> None:
    if session.in_nested_transaction():
        # A savepoint is released, or the outermost transaction is committed while one is open: `_after_commit` tells.
        if (ledger := ledger_of(session)) is not None:
            ledger.commits += 1
        return
    session.flush()
    if (ledger := open_ledger(session)) is not None:
        ledger.closing = True
        ledger.write()


def _after_commit(session: Session) -> None:
    ledger = open_ledger(session)
    if ledger is None:
        return
    savepoint = session.get_nested_transaction()
    if savepoint is None:
        installation = installation_of(session)
        if ledger.told and installation is not None and installation.waker is not None:
            installation.waker.nudge()
        return
    ledger.commits -= 1
    if ledger.release(savepoint) is None and ledger.commits > 0:
        # The commit that began while savepoints were open has now released the last of them.
        ledger.closing = True
        ledger.write()


def _after_transaction_end(session: Session, transaction: SessionTransaction) -> None:
    ledger = open_ledger(session)
    if ledger is None:
        return
    if transaction.nested:
        ledger.discard(transaction)
    elif transaction.parent is None:
        ledger.reset()
        engines.detach(ledger)
