"""Triggers as a script: plain SQL, or an Alembic migration."""

import re
from collections.abc import Iterable
from importlib import import_module

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from relay.capture.errors import CaptureError
from relay.capture.registry import models
from relay.capture.sqltext import Statements
from relay.capture.triggers import triggers

_MIGRATION = '''"""Triggers that put what other programs change into the outbox."""

from alembic import op
from sqlalchemy import text

# Set these two as your migrations want them.
revision = "relay_triggers"
down_revision = None


def upgrade() -> None:
    """Make the triggers."""
{create}


def downgrade() -> None:
    """Remove the triggers."""
{drop}
'''


def watched_by(modules: Iterable[str]) -> frozenset[type]:
    """Import modules and return the models that they watch. Raises `CaptureError` for one that cannot be imported."""
    before = models()
    for module in modules:
        try:
            import_module(module)
        except ImportError as error:
            raise CaptureError(f"cannot import {module}: {error}") from None
    return models() - before


def script(url: str, source: str, models: Iterable[type], *, alembic: bool = False, drop: bool = False) -> str:
    """Return the script for the kind of database that `url` names. Raises `CaptureError` where there is none."""
    try:
        dialect = make_url(url).get_dialect()()
    except (ArgumentError, NoSuchModuleError):
        raise CaptureError("this is no URL of a database") from None
    made = triggers(dialect, source, models)
    if alembic:
        return _MIGRATION.format(create=_calls(made.create), drop=_calls(made.drop))
    return ";\n\n".join(made.drop if drop else made.create) + ";"


def _calls(statements: Statements) -> str:
    # A colon in a function's text is no parameter.
    escaped = (re.sub(r"(?<![:\w]):(?=\w)", r"\:", statement) for statement in statements)
    return "\n".join(f"    op.execute(text({statement!r}))" for statement in escaped)
