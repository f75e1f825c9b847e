"""How commands print: tables for people, one JSON document for programs."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


def print_json(document: Any) -> None:
    """Print one JSON document on standard output."""
    text = json.dumps(document, ensure_ascii=False, indent=2)
    try:
        print(text)
    except UnicodeEncodeError:
        print(json.dumps(document, indent=2))


def print_table(items: Iterable[Mapping[str, Any]], columns: Sequence[str], *, empty: str) -> None:
    """Print items as a table of these columns, or `empty` if there are none."""
    rows = list(items)
    if not rows:
        print(empty)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, no_wrap=column in ("id", "event_id"), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    console = Console(highlight=False, soft_wrap=False)
    # Away from a terminal nothing is cut to its width: the lines are for grep.
    if not console.is_terminal:
        console = Console(highlight=False, width=max(200, 40 * len(columns)))
    console.print(table, markup=False)


def print_list(items: Sequence[Mapping[str, Any]], columns: Sequence[str], *, empty: str, as_json: bool) -> None:
    """Print a listing: `{"items": [...]}` for programs, a table of these columns for people."""
    if as_json:
        print_json({"items": items})
    else:
        print_table(items, columns, empty=empty)


def print_fields(item: Mapping[str, Any]) -> None:
    """Print one thing, a line for each field."""
    width = max(map(len, item))
    for name, value in item.items():
        print(f"{name:<{width}}  {_cell(value)}")


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if text.isprintable():
        return text
    # What others sent must neither break the line nor steer the terminal.
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
