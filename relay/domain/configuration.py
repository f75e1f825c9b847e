"""All that relay.toml says, checked."""

from dataclasses import dataclass

from relay.domain.database import Database
from relay.domain.inbound import SourceOptions
from relay.domain.route import Route
from relay.domain.target import TargetOptions


@dataclass(frozen=True, slots=True)
class Configuration:
    """A whole configuration, in the order of its file. Names are unique within each kind, and routes lead somewhere."""

    sources: tuple[SourceOptions, ...] = ()
    databases: tuple[Database, ...] = ()
    targets: tuple[TargetOptions, ...] = ()
    routes: tuple[Route, ...] = ()
