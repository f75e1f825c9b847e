"""Checks a whole configuration and tells everything that is wrong with it at once."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from pydantic import BaseModel, ValidationError

from relay.domain.configuration import Configuration
from relay.domain.database import Database
from relay.domain.person import is_person
from relay.domain.route import Route
from relay.domain.target import style_of
from relay.errors import InvalidConfiguration, Problem
from relay.pipeline.conditions import Identity
from relay.pipeline.configure.complaints import complaints, suggestion, written_names
from relay.pipeline.configure.document import Document, template_file
from relay.pipeline.configure.links import never_an_address
from relay.pipeline.configure.positions import Key
from relay.plugins import Plugins
from relay.secrets import RESOLVE

SECTIONS = ("sources", "databases", "targets", "routes")

COMPILED = ("when", "text", "thread", "link", "card", "digest", "dedupe")
"""What of a route is, or holds, a program: it must compile."""

FILED = ("text", "card")
"""What of a route may lie in a file of its own."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")

Items = dict[int, Any]
"""What is valid of a section, by its number in the file."""


def check(document: Document, plugins: Plugins, compile_route: Callable[[Route], object]) -> Configuration:
    """Return what the document says. Raises `InvalidConfiguration` that holds every problem, in the file's order.

    `compile_route` tries a route's condition and templates and raises `ValueError` for what does not compile. Secrets
    are looked up where the document says they are.
    """
    checker = _Checker(document, plugins)
    configuration = checker.configuration(compile_route)
    if checker.problems:
        raise InvalidConfiguration(problems=sorted(checker.problems, key=lambda problem: problem.line))
    return configuration


class _Checker:
    def __init__(self, document: Document, plugins: Plugins) -> None:
        self.problems: list[Problem] = []
        self._document = document
        self._read = {kind for kind, plugin in plugins.targets.items() if plugin.words}
        self._carded = {kind for kind, plugin in plugins.targets.items() if plugin.words and style_of(plugin).cards}
        self._filed: dict[tuple[int, str], Key] = {}
        self._kinds: dict[str, tuple[str, Mapping[str, type[BaseModel]]]] = {
            "sources": ("verify", {kind: plugin.Options for kind, plugin in plugins.providers.items()}),
            "targets": ("kind", {kind: plugin.Options for kind, plugin in plugins.targets.items()}),
        }

    def configuration(self, compile_route: Callable[[Route], object]) -> Configuration:
        """Return what is valid of the document; `problems` then holds what is not."""
        for name in self._document.content:
            if name not in SECTIONS:
                self._add((name,), "unknown key", suggestion(name, SECTIONS))
        sources, databases, targets, routes = (self._section(section) for section in SECTIONS)
        self._check_fallbacks()
        self._check_destinations()
        self._check_digests(routes, targets)
        self._check_identities(sources)
        self._check_cards(routes, targets)
        self._check_programs(routes, compile_route)
        self._check_links(routes)
        return Configuration(
            sources=tuple(sources.values()),
            databases=tuple(databases.values()),
            targets=tuple(targets.values()),
            routes=tuple(routes.values()),
        )

    def _add(self, key: Key, message: str, hint: str | None = None) -> None:
        self.problems.append(Problem(self._document.file, self._document.line(key), spelled(key), message, hint))

    def _tables(self, section: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
        written = self._document.content.get(section, [])
        for number, table in enumerate(written if isinstance(written, list) else []):
            if isinstance(table, Mapping):
                yield number, table

    def _names(self, section: str) -> list[str]:
        names = [table.get("name") for _, table in self._tables(section)]
        return [name for name in names if isinstance(name, str)]

    def _section(self, section: str) -> Items:
        written = self._document.content.get(section, [])
        tables = dict(self._tables(section))
        if not isinstance(written, list) or len(tables) != len(written):
            self._add((section,), "should be tables", f"write [[{section}]] above each")
        self._check_names(section)
        found = {number: self._item(section, number, table) for number, table in tables.items()}
        return {number: item for number, item in found.items() if item is not None}

    def _item(self, section: str, number: int, table: Mapping[str, Any]) -> BaseModel | None:
        model = self._model(section, number, table)
        if model is None:
            return None
        if section == "routes":
            table = self._with_files(number, table)
        try:
            return model.model_validate(table, context=RESOLVE)
        except ValidationError as error:
            for complaint in complaints(error, table, model):
                key: Key = (section, number, *complaint.key)
                hint = complaint.hint
                if complaint.message == "unknown key" and len(complaint.key) == 1:
                    if section == "routes":
                        hint = suggestion(complaint.key[0], [*written_names(model), *(f"{one}_file" for one in FILED)])
                    hint = self._who_has(section, str(complaint.key[0])) or hint
                self._add(key, complaint.message, hint)
            return None

    def _with_files(self, number: int, table: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a route's table with what its `text_file` and `card_file` hold."""
        found = dict(table)
        for field in FILED:
            name = found.pop(f"{field}_file", None)
            if name is None:
                continue
            key: Key = ("routes", number, f"{field}_file")
            self._filed[number, field] = key
            if field in found:
                self._add(key, f"there is {field} too", "one of them is enough")
            try:
                found[field] = template_file(self._document.file, name)
            except ValueError as error:
                self._add(key, str(error))
        return found

    def _model(self, section: str, number: int, table: Mapping[str, Any]) -> type[BaseModel] | None:
        if section not in self._kinds:
            return Route if section == "routes" else Database
        field, models = self._kinds[section]
        kind = table.get(field)
        if isinstance(kind, str) and kind in models:
            return models[kind]
        message = f"there is no {field} {json.dumps(kind)}" if isinstance(kind, str) else "should be text"
        message = message if field in table else "is missing"
        self._add((section, number, field), message, suggestion(kind, models))
        return None

    def _who_has(self, section: str, field: str) -> str | None:
        """Return a hint for a field that only other kinds have, so that its writer sees what was mixed up."""
        _, models = self._kinds.get(section, ("", {}))
        having = [kind for kind, model in models.items() if field in written_names(model)]
        return f"only {', '.join(having)} {section} have it" if having else None

    def _check_names(self, section: str) -> None:
        first: dict[str, int] = {}
        for number, table in self._tables(section):
            name = table.get("name")
            if not isinstance(name, str):
                continue
            if name in first:
                line = self._document.line((section, first[name], "name"))
                self._add((section, number, "name"), f"{json.dumps(name)} is named twice", f"first on line {line}")
            first.setdefault(name, number)

    def _check_fallbacks(self) -> None:
        # As written, not as validated: a mistake elsewhere in a table must not hide this one.
        known = self._names("targets")
        after = {
            table["name"]: table.get("fallback")
            for _, table in self._tables("targets")
            if isinstance(table.get("name"), str)
        }
        for number, table in self._tables("targets"):
            name, fallback = table.get("name"), table.get("fallback")
            if isinstance(fallback, str):
                self._check_fallback(("targets", number, "fallback"), name, fallback, known, after)

    def _check_fallback(
        self, key: Key, name: Any, fallback: str, known: Sequence[str], after: Mapping[str, Any]
    ) -> None:
        if fallback == name:
            self._add(key, "a target cannot be its own fallback")
        elif fallback not in known:
            self._add(key, f"there is no target {json.dumps(fallback)}", suggestion(fallback, known))
        elif name in _chain(fallback, after):
            self._add(key, "these fallbacks lead back to the target itself")

    def _check_destinations(self) -> None:
        known = self._names("targets")
        for number, table in self._tables("routes"):
            written = table.get("to")
            targets = written if isinstance(written, list) else []
            for place, target in enumerate(targets):
                key = ("routes", number, "to", place)
                if not isinstance(target, str):
                    continue
                if target not in known and not is_person(target):
                    self._add(key, f"there is no target {json.dumps(target)}", suggestion(target, known))
                elif target in targets[:place]:
                    self._add(key, f"{json.dumps(target)} is named twice")

    def _check_digests(self, routes: Items, targets: Items) -> None:
        known = {target.name: target for target in targets.values()}
        for number, route in routes.items():
            told = [known[name] for name in route.to if name in known]
            read = [target for target in told if target.kind in self._read]
            if route.digest is None or len(told) < len(route.to):
                continue
            key: Key = ("routes", number, "digest")
            if not read:
                self._add(key, "none of its targets is read by people", "the others hear of each event by itself")
            for target in read:
                if target.order == "subject":
                    self._add(key, f'{json.dumps(target.name)} has order = "subject": there each event is a message')

    def _check_identities(self, sources: Items) -> None:
        for number, source in sources.items():
            if source.dedupe is None:
                continue
            try:
                Identity(source.dedupe)
            except ValueError as error:
                self._add(("sources", number, "dedupe"), str(error))

    def _check_programs(self, routes: Items, compile_route: Callable[[Route], object]) -> None:
        for number, route in routes.items():
            for field in COMPILED:
                # One at a time, so that a wrong condition does not hide a wrong template.
                others = {other: None for other in COMPILED if other != field}
                try:
                    compile_route(route.model_copy(update=others))
                except ValueError as error:
                    inner = ("key",) if field in ("digest", "dedupe") else ()
                    key: Key = ("routes", number, field, *inner)
                    self._add(self._filed.get((number, field), key), str(error))

    def _check_links(self, routes: Items) -> None:
        for number, route in routes.items():
            # What does not compile is told already.
            with suppress(ValueError):
                if route.link is not None and (problem := never_an_address(route.link)):
                    self._add(("routes", number, "link"), problem)

    def _check_cards(self, routes: Items, targets: Items) -> None:
        kinds = {target.name: target.kind for target in targets.values()}
        for number, route in routes.items():
            told = {kinds[name] for name in route.to if name in kinds}
            if any(map(is_person, route.to)):
                # Their places, and so their kinds, are known when an event names them.
                continue
            if route.card is not None and told and not told & self._carded:
                key: Key = self._filed.get((number, "card"), ("routes", number, "card"))
                self._add(key, f"only {', '.join(sorted(self._carded))} take whole cards")


def _chain(name: str, after: Mapping[str, Any]) -> list[str]:
    """Return the targets that follow one another as fallbacks, from `name` on, each once."""
    chain: list[str] = []
    following: Any = name
    while isinstance(following, str) and following not in chain:
        chain.append(following)
        following = after.get(following)
    return chain


def spelled(key: Key) -> str:
    """Return a key as people write it: `targets[1].retry`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{_quoted(part)}" for part in key).removeprefix(".")


def _quoted(name: str) -> str:
    return name if _BARE.fullmatch(name) else json.dumps(name)
