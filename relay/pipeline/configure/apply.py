"""Checking a configuration and putting it into force."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from relay.domain.configuration import Configuration
from relay.domain.database import Database
from relay.errors import InvalidConfiguration
from relay.pipeline.configure.check import check
from relay.pipeline.configure.document import Document, parse, read
from relay.pipeline.configure.drift import Tables, check_drift
from relay.pipeline.configure.plan import Plan, plan
from relay.pipeline.ports import Stored
from relay.pipeline.rendering import compile_route
from relay.plugins import Plugins


class ConfigurationWriter(Protocol):
    """Where the configuration is kept."""

    def load(self) -> Stored:
        """Return what is stored."""

    def replace(self, wanted: Configuration, now: datetime) -> int:
        """Make `wanted` the configuration."""


class Configurator:
    """Checks relay.toml and applies it."""

    def __init__(self, store: ConfigurationWriter, plugins: Plugins) -> None:
        self._store = store
        self._plugins = plugins

    def check(self, path: Path) -> Configuration:
        """Return what a file says, without touching anything. Raises `InvalidConfiguration`, naming every mistake."""
        return self._checked(read(path))

    def drift(self, path: Path, database: str, look: Callable[[Database], Tables]) -> Configuration:
        """Return what a file says, having held its routes against the tables of one of its databases.

        Raises `InvalidConfiguration` for whatever is wrong, `StoreUnavailable` where the tables cannot be seen.
        """
        document = read(path)
        configuration = self._checked(document)
        check_drift(document, configuration, database, look)
        return configuration

    def apply(self, path: Path, *, dry_run: bool = False) -> Plan:
        """Make a file the configuration in force, or only say what that would change."""
        return self._applied(self.check(path), dry_run=dry_run)

    def apply_text(self, text: str, file: str) -> Plan:
        """Make a text the configuration in force; `file` names it in errors."""
        return self._applied(self._checked(parse(text, file)), dry_run=False)

    def _checked(self, document: Document) -> Configuration:
        return check(document, self._plugins, compile_route)

    def _applied(self, wanted: Configuration, *, dry_run: bool) -> Plan:
        try:
            stored = self._store.load()
            current, aging = stored.configuration, stored.aging
        except InvalidConfiguration:
            # Sealed with a key that is lost, or of another version: this is how it is mended.
            current, aging = Configuration(), True
        changes = plan(current, wanted)
        if (changes or aging) and not dry_run:
            self._store.replace(wanted, datetime.now(UTC))
        return changes
