"""Drift: what routes look for in rows that no row has any more."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from relay.domain.configuration import Configuration
from relay.domain.database import Database
from relay.domain.person import PREFIX, is_person
from relay.domain.route import Route
from relay.errors import InvalidConfiguration, Problem, UsageError
from relay.pipeline.configure import celtree, jinjatree
from relay.pipeline.configure.celtree import Path
from relay.pipeline.configure.check import spelled
from relay.pipeline.configure.complaints import suggestion
from relay.pipeline.configure.document import Document
from relay.pipeline.configure.positions import Key

Tables = Mapping[str, frozenset[str]]
"""Names of columns by the name of their table."""

VERBS = ("created", "updated", "deleted")
_SIDES = ("before", "after", "changed")


@dataclass(frozen=True, slots=True)
class _Scope:
    """The database that is looked at, and the names of everything else that events may come from."""

    database: str
    others: tuple[str, ...]
    tables: Tables

    def concerns(self, route: Route) -> bool:
        """Say whether a route may hear of this database: it does unless all that it hears of is known to be another."""
        sources = route.sources
        if sources is None or route.takes_source(self.database):
            return True
        return not all(any(fnmatchcase(other, glob) for other in self.others) for glob in sources)

    def alone_concerns(self, route: Route) -> bool:
        """Say whether a route hears of nothing but this database."""
        return route.takes_source(self.database) and not any(map(route.takes_source, self.others))

    def rows_of(self, route: Route) -> dict[str, frozenset[str]]:
        """Return the tables whose rows a route hears of."""
        return {
            table: columns
            for table, columns in self.tables.items()
            if any(route.takes_type(f"{table}.{verb}") for verb in VERBS)
        }


def check_drift(
    document: Document, configuration: Configuration, name: str, look: Callable[[Database], Tables]
) -> None:
    """Raise `InvalidConfiguration` that names each column which a route looks for and its tables do not have.

    `look` returns the tables of a database. Raises `UsageError` where the document has no database of this name.
    """
    known = {database.name: database for database in configuration.databases}
    if name not in known:
        raise UsageError(f"{document.file} has no database {name}", hint=suggestion(name, known))
    others = [source.name for source in configuration.sources] + [other for other in known if other != name]
    scope = _Scope(name, tuple(others), look(known[name]))
    problems = [
        Problem(document.file, document.line(key), spelled(key), message, hint)
        for number, route in enumerate(configuration.routes)
        if scope.concerns(route)
        for key, message, hint in _missing(number, route, scope)
    ]
    if problems:
        raise InvalidConfiguration(problems=sorted(problems, key=lambda problem: problem.line))


def _missing(number: int, route: Route, scope: _Scope) -> Iterator[tuple[Key, str, str | None]]:
    tables = scope.rows_of(route)
    for key, found in _programs(route):
        for side, column in sorted(_columns(found)):
            place: Key = ("routes", number, *key)
            if not tables:
                if _names_rows(route) and scope.alone_concerns(route):
                    yield place, f"{scope.database} has no table of {', '.join(route.types or ())}", None
                    break
                continue
            if not any(column in columns for columns in tables.values()):
                yield place, *_told(side, column, tables, scope)


def _told(side: str, column: str, tables: Tables, scope: _Scope) -> tuple[str, str | None]:
    every = frozenset[str]().union(*tables.values())
    where = next(iter(tables)) if len(tables) == 1 else f"no table of {scope.database}"
    said = f"{where} has no column {column}" if len(tables) == 1 else f"{where} that it hears of has a column {column}"
    return f"data.{side}: {said}", suggestion(column, sorted(every))


def _programs(route: Route) -> Iterator[tuple[Key, Iterator[Path]]]:
    if route.when is not None:
        yield ("when",), celtree.paths(route.when)
    templates = {
        ("text",): route.text,
        ("thread",): route.thread,
        ("link",): route.link,
        ("digest", "key"): route.digest and route.digest.key,
        ("dedupe", "key"): route.dedupe and route.dedupe.key,
    }
    yield from ((key, jinjatree.paths(source)) for key, source in templates.items() if source)
    people = ((place, to.removeprefix(PREFIX)) for place, to in enumerate(route.to) if is_person(to))
    yield from ((("to", place), jinjatree.paths(source)) for place, source in people)


def _columns(found: Iterator[Path]) -> set[tuple[str, str]]:
    return {(path[1], path[2]) for path in found if len(path) > 2 and path[0] == "data" and path[1] in _SIDES}


def _names_rows(route: Route) -> bool:
    return bool(route.types) and all(glob.rpartition(".")[2] in VERBS for glob in route.types or ())
