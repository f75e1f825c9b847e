"""Where capture listens: to mappers for the objects a flush writes, to sessions for the transactions around them."""

from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.orm import EXT_CONTINUE, Mapper, Session, SessionTransaction, UOWTransaction, attributes

from relay.capture import engines
from relay.capture.installation import Installation, installation_of, installed, ledger_of, open_ledger
from relay.capture.ledger import Ledger
from relay.capture.registry import Shape, shape
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
        # Hooks that return something are called without a function around them.
        event.listen(model, name, hook, raw=True, retval=True, propagate=True)


def _ledger(state: State) -> Ledger | None:
    session = state.session
    return None if session is None else ledger_of(session)


def _before_insert(mapper: Mapper[Any], connection: Connection, state: State) -> object:
    if (ledger := _ledger(state)) is not None:
        kind = shape(mapper)
        taken = _taken_over(mapper, kind, state)
        if taken is None:
            ledger.flushing[state] = of_new(state, kind, connection)
        else:
            ledger.flushing[state] = of_replaced(state, kind, taken, connection)
    return EXT_CONTINUE


def _taken_over(mapper: Mapper[Any], kind: Shape, state: State) -> State | None:
    """Return the object that the session has under the primary key of a new one."""
    identity = tuple(map(state.dict.get, kind.keys))
    if None in identity or state.session is None:
        return None
    stored = state.session.identity_map.get(mapper.identity_key_from_primary_key(identity))
    return None if stored is None else attributes.instance_state(stored)


def _before_update(mapper: Mapper[Any], connection: Connection, state: State) -> object:
    if (ledger := _ledger(state)) is not None:
        _note(ledger, mapper, connection, state)
    return EXT_CONTINUE


def _before_delete(mapper: Mapper[Any], connection: Connection, state: State) -> object:
    if (ledger := _ledger(state)) is not None:
        _note(ledger, mapper, connection, state).gone = True
    return EXT_CONTINUE


def _note(ledger: Ledger, mapper: Mapper[Any], connection: Connection, state: State) -> Before:
    """Note what is stored of an object; where that takes a read, read for those that follow in this flush too."""
    before = ledger.flushing.get(state) or ledger.ahead.pop(state, None)
    if before is None:
        before = known(state, shape(mapper), connection)
        if before.gaps:
            before, *others = of_stored([state, *_siblings(ledger, state)], connection)
            ledger.ahead.update((other.state, other) for other in others)
    ledger.flushing[state] = before
    return before


def _siblings(ledger: Ledger, state: State) -> list[State]:
    session = state.session
    changed = () if session is None else map(attributes.instance_state, [*session.dirty, *session.deleted])
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
    kept = [before for before in ledger.flushing.values() if not before.gone]
    saved = [before.saved() for before in kept]
    # A row goes before another takes its primary key, in whatever order the flush came upon them.
    rows = [before.removed() for before in ledger.flushing.values() if before.gone]
    rows += [before.removed() for before, row in zip(kept, saved, strict=True) if row.before is not before.values]
    rows += saved
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
