"""`watch` and `install`: which models are captured, and in which sessions."""

import os
import re
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from relay.capture import wake as waking
from relay.capture.asynchronous import AsyncEngine, AsyncSession, async_scoped_session, async_sessionmaker
from relay.capture.engines import listen_to_engine
from relay.capture.errors import CaptureError
from relay.capture.hooks import listen_to_model, listen_to_sessions
from relay.capture.installation import Installation
from relay.capture.registry import Bulk, Choice, register

_SOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def watch(
    model: type,
    *,
    only: Iterable[Choice] | None = None,
    exclude: Iterable[Choice] = (),
    mask: Iterable[Choice] = (),
    bulk: Bulk = "expand",
) -> None:
    """Capture changes of `model` and of the classes that inherit from it, in every session that is installed.

    `only` and `exclude` choose columns; what is excluded never leaves the process. `mask` replaces values by a keyed
    hash that still shows whether they changed (the key is RELAY_MASK_KEY, or one that lasts as long as the process).
    A column is given by name or attribute; its own `info["relay"]` may say "exclude" or "mask" too.

    A column that is deferred is read for an event only when it changed. A new primary key makes a row another row: the
    old one is deleted, the new one created.

    `bulk` says what becomes of statements that go around objects (`session.execute(update(Model))`, `bulk_*`, Core, and
    upserts): "expand" reads the rows under their locks and tells of each as if its object had changed; "summary" tells
    of the statement alone (`orders.bulk_updated`, with its criteria and a count); "refuse" stops it before it writes.
    Rows that go, or change, because of another's ON DELETE are told likewise. Not seen is what else the database does
    by itself: ON UPDATE, triggers, other programs. Raises `CaptureError` for what cannot be captured.
    """
    if register(model, only, exclude, mask, bulk):
        listen_to_model(model)


def install(factory: Any, *, source: str, wake: str | None = None, strict: bool = False) -> None:
    """Write the events of watched models for every session of `factory`, as coming from `source`.

    `factory` is a sessionmaker, a Session class, a scoped_session, or one of their asynchronous kin. After a commit the
    relay is woken through the broker at `wake` (default: RELAY_BROKER_URL; without one the relay looks by itself every
    two seconds).

    A write of a watched table that no event will tell of, made through the same engine (SQL text, another session, Core
    outside of sessions), draws a `CaptureWarning`; with `strict` it raises `CaptureError` before it writes. The
    execution option `relay="ignore"`, on a statement, connection or engine, says that it is meant.

    Installing again changes all of it. Raises `CaptureError` for what is no factory, name or URL.
    """
    if not _SOURCE.fullmatch(source):
        raise CaptureError(f"the source {source!r} is not a name: 1 to 64 letters, digits, - and _")
    url = os.environ.get("RELAY_BROKER_URL", "") if wake is None else wake
    installation = Installation(source, waking.waker(url) if url else None, strict)
    listen_to_sessions(_session_class(factory), installation)
    for engine in _engines(factory):
        listen_to_engine(engine, installation)


def _session_class(factory: Any) -> type[Session]:
    match factory:
        case sessionmaker():
            return factory.class_
        case async_sessionmaker():
            return _behind(factory)
        case scoped_session() | async_scoped_session():
            return _session_class(factory.session_factory)
        case type() if issubclass(factory, Session):
            return factory
        case type() if issubclass(factory, AsyncSession):
            return _behind_class(factory)
        case _:
            raise CaptureError(
                f"cannot install in {factory!r}: give a sessionmaker, async_sessionmaker, scoped_session or class"
            )


def _behind(factory: "async_sessionmaker[Any]") -> type[Session]:
    """Return the class of the sessions behind asynchronous ones: its own, so that no other sessions are captured."""
    chosen = factory.kw.get("sync_session_class") or factory.class_.sync_session_class
    if chosen is Session:
        chosen = type("Session", (Session,), {})
        factory.configure(sync_session_class=chosen)
    return _session_class(chosen)


def _behind_class(sessions: type[AsyncSession]) -> type[Session]:
    if sessions.sync_session_class is Session:
        sessions.sync_session_class = type("Session", (Session,), {})
    return sessions.sync_session_class


def _engines(factory: Any) -> list[Engine]:
    """Return the engines that a factory of sessions already knows; the others show when a session begins."""
    match factory:
        case scoped_session() | async_scoped_session():
            return _engines(factory.session_factory)
        case sessionmaker() | async_sessionmaker():
            binds = [factory.kw.get("bind"), *(factory.kw.get("binds") or {}).values()]
            return [bind.engine if isinstance(bind, Connection) else bind for bind in map(_plain, binds) if bind]
        case _:
            return []


def _plain(bind: Any) -> Engine | Connection | None:
    bind = bind.sync_engine if isinstance(bind, AsyncEngine) else bind
    return bind if isinstance(bind, Engine | Connection) else None
