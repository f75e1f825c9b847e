"""`watch` and `install`: which models are captured, and in which sessions."""

import os
import re
from collections.abc import Iterable
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from relay.capture import wake as waking
from relay.capture.errors import CaptureError
from relay.capture.hooks import Installation, listen_to_model, listen_to_sessions
from relay.capture.registry import Choice, register

_SOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def watch(
    model: type,
    *,
    only: Iterable[Choice] | None = None,
    exclude: Iterable[Choice] = (),
    mask: Iterable[Choice] = (),
) -> None:
    """Capture changes of `model` and of the classes that inherit from it, in every session that is installed.

    `only` and `exclude` choose columns; what is excluded never leaves the process. `mask` replaces values by a keyed
    hash that still shows whether they changed (the key is RELAY_MASK_KEY, or one that lasts as long as the process).
    A column is given by name or attribute; its own `info["relay"]` may say "exclude" or "mask" too.

    A column that is deferred is read for an event only when it changed. A new primary key makes a row another row: the
    old one is deleted, the new one created. Seen is what sessions flush; statements that go around their objects
    (`session.execute(update(...))`, `bulk_*`, Core, cascades of the database) are not. Raises `CaptureError` for what
    cannot be captured.
    """
    if register(model, only, exclude, mask):
        listen_to_model(model)


def install(factory: Any, *, source: str, wake: str | None = None) -> None:
    """Write the events of watched models for every session of `factory`, as coming from `source`.

    `factory` is a sessionmaker, a Session class, a scoped_session, or one of their asynchronous kin. After a commit the
    relay is woken through the broker at `wake` (default: RELAY_BROKER_URL; without one the relay looks by itself every
    two seconds). Installing again changes source and broker. Raises `CaptureError` for what is no factory, name or URL.
    """
    if not _SOURCE.fullmatch(source):
        raise CaptureError(f"the source {source!r} is not a name: 1 to 64 letters, digits, - and _")
    url = os.environ.get("RELAY_BROKER_URL", "") if wake is None else wake
    listen_to_sessions(_session_class(factory), Installation(source, waking.waker(url) if url else None))


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


def _behind(factory: async_sessionmaker[Any]) -> type[Session]:
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
