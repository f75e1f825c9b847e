"""The asynchronous kin of sessions: they need greenlet, which SQLAlchemy alone does not bring."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_scoped_session, async_sessionmaker
else:
    try:
        from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_scoped_session, async_sessionmaker
    except ImportError:
        # Nobody can have made one: a class of which there are no objects.
        AsyncEngine = AsyncSession = async_scoped_session = async_sessionmaker = type("Absent", (), {})

__all__ = ["AsyncEngine", "AsyncSession", "async_scoped_session", "async_sessionmaker"]
