"""Routes decide which targets hear of an event."""

import hashlib
import re
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt

from relay.domain.durations import Duration
from relay.domain.fold import MOST
from relay.domain.names import NAME, Name
from relay.domain.person import PREFIX, is_person
from relay.domain.quiet import Quiet
from relay.domain.templates import Template

Window = Annotated[Duration, Field(ge=1, le=86400)]
Key = Annotated[str, Field(min_length=1, max_length=2048)]
Glob = Annotated[str, Field(min_length=1, max_length=256)]


def _destination(value: str) -> str:
    if is_person(value):
        Template(value.removeprefix(PREFIX))
    elif not re.fullmatch(NAME, value):
        raise ValueError(f"should be the name of a target, or {PREFIX} and a template that names a person")
    return value


Destination = Annotated[str, Field(max_length=2048), AfterValidator(_destination)]
"""The name of a target, or `user:` and a template that makes the name of a person."""


class Digest(BaseModel):
    """Gathers events for people: one message when `window` seconds are over since the first, or once `max` are there.

    `key` is a template: events of the same key are told together.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    window: Window
    max: Annotated[StrictInt, Field(ge=2, le=MOST)] = MOST
    key: Key | None = None


class Dedupe(BaseModel):
    """Tells the same but once in `window` seconds.

    `key` is a template that says what the same is; without one it is the route's text, or the event's type and data.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    window: Window
    key: Key | None = None


class Route(BaseModel):
    """One `[[routes]]` table: who hears of which events, and in which words.

    `types` and `sources` are shell-style globs; none means all. `when` is a CEL condition over `event` and `data`.
    `to` names targets, and people as `user:` and a template.
    `text` and `thread` are Jinja templates over the same two, and so is `link`: the address of what the event is about.
    `card` is one that makes JSON: a whole card in the form of the targets' kind. With `stop`, the routes below are not
    asked for an event that this one takes. `sample` is the share of its events that it takes. What it takes in `quiet`
    hours waits for their end.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    types: Annotated[tuple[Glob, ...], Field(min_length=1)] | None = None
    sources: Annotated[tuple[Glob, ...], Field(min_length=1)] | None = None
    when: Annotated[str, Field(min_length=1, max_length=2048)] | None = None
    to: Annotated[tuple[Destination, ...], Field(min_length=1)]
    text: Annotated[str, Field(max_length=32_000)] | None = None
    thread: Annotated[str, Field(max_length=2048)] | None = None
    digest: Digest | None = None
    dedupe: Dedupe | None = None
    link: Annotated[str, Field(max_length=2048)] | None = None
    card: Annotated[str, Field(max_length=32_000)] | None = None
    stop: StrictBool = False
    sample: Annotated[StrictFloat, Field(gt=0, le=1)] = 1.0
    quiet: Quiet | None = None

    def takes(self, event_type: str, source: str) -> bool:
        """Say whether an event of this type and source is for this route, its condition aside."""
        return self.takes_type(event_type) and self.takes_source(source)

    def takes_type(self, event_type: str) -> bool:
        """Say whether an event of this type is for this route."""
        return self.types is None or any(fnmatchcase(event_type, glob) for glob in self.types)

    def samples(self, event_id: str) -> bool:
        """Say whether an event is of the share that this route takes: the same each time it is asked."""
        if self.sample == 1:
            return True
        lot = hashlib.blake2b(f"{self.name} {event_id}".encode(), digest_size=8).digest()
        return int.from_bytes(lot, "big") < self.sample * (1 << 64)

    def takes_source(self, source: str) -> bool:
        """Say whether an event of this source is for this route."""
        return self.sources is None or any(fnmatchcase(source, glob) for glob in self.sources)
