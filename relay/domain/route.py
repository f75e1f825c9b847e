"""Routes decide which targets hear of an event."""

from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from relay.domain.names import Name

Glob = Annotated[str, Field(min_length=1, max_length=256)]


class Route(BaseModel):
    """One `[[routes]]` table: who hears of which events, and in which words.

    `types` and `sources` are shell-style globs; none means all. `when` is a CEL condition over `event` and `data`.
    `text` and `thread` are Jinja templates over the same two.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    types: Annotated[tuple[Glob, ...], Field(min_length=1)] | None = None
    sources: Annotated[tuple[Glob, ...], Field(min_length=1)] | None = None
    when: Annotated[str, Field(min_length=1, max_length=2048)] | None = None
    to: Annotated[tuple[Name, ...], Field(min_length=1)]
    text: Annotated[str, Field(max_length=32_000)] | None = None
    thread: Annotated[str, Field(max_length=2048)] | None = None

    def takes(self, event_type: str, source: str) -> bool:
        """Say whether an event of this type and source is for this route, its condition aside."""
        return self.takes_type(event_type) and self.takes_source(source)

    def takes_type(self, event_type: str) -> bool:
        """Say whether an event of this type is for this route."""
        return self.types is None or any(fnmatchcase(event_type, glob) for glob in self.types)

    def takes_source(self, source: str) -> bool:
        """Say whether an event of this source is for this route."""
        return self.sources is None or any(fnmatchcase(source, glob) for glob in self.sources)
