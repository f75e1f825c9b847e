"""Parts of SQL text that triggers are made of. Names are quoted and values escaped where they are put in."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table

from relay.capture.errors import CaptureError
from relay.capture.registry import Field, Shape

Statements = list[str]


@dataclass(frozen=True, slots=True)
class Triggers:
    """SQL that makes triggers, statement by statement, and SQL that removes them."""

    create: Statements
    drop: Statements


def json_object(function: str, fields: list[tuple[Field, str]], side: str, show: Callable[[Field, str], str]) -> str:
    """Return a call that makes a JSON object of one side's (OLD or NEW) columns, masked ones as `"masked"`."""
    shown = (
        f"{literal(f.name)}, "
        + (f"CASE WHEN {side}.{column} IS NULL THEN NULL ELSE 'masked' END" if f.mask else show(f, f"{side}.{column}"))
        for f, column in fields
    )
    return f"{function}({', '.join(shown)})"


def table_of(kind: Shape) -> Table:
    """Return the table of a watched class. Raises `CaptureError` where it is none."""
    if not isinstance(kind.mapper.local_table, Table):
        raise CaptureError(f"{kind.mapper} is mapped to no table")
    return kind.mapper.local_table


def fields_of(kind: Shape, table: Table, quote: Any) -> list[tuple[Field, str]]:
    """Return the fields that are columns of `table`, each with its quoted name."""
    return [(f, quote.quote(f.column.name)) for f in kind.fields if f.column.table is table]


def keys_of(table: Table, quote: Any) -> Iterator[str]:
    """Yield the quoted names of the primary key's columns."""
    yield from (quote.quote(column.name) for column in table.primary_key)


def percent_encoded(column: str, text: str) -> str:
    """Return SQL that percent-encodes a key's signs, where the database cannot itself; `text` is its type of text."""
    found = f"CAST({column} AS {text})"
    for letter in "% ,/?#&+:@\"'":
        found = f"REPLACE({found}, {literal(letter)}, '%{ord(letter):02X}')"
    return found


def literal(text: str) -> str:
    """Return text as SQL."""
    return "'" + text.replace("'", "''") + "'"
