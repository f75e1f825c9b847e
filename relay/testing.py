"""For applications' own tests: the messages that events become under a relay.toml, made without a socket.

`relay.capture.testing` hands this out as the fixture `captured_messages`.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from relay import plugins
from relay.capture.testing import CapturedEvent
from relay.domain.event import Event, encode, new_id
from relay.pipeline.configure import check, read
from relay.pipeline.configure.document import Document, parse
from relay.pipeline.live import Live, compile_configuration
from relay.pipeline.preview import explain
from relay.pipeline.rendering import compile_route


@dataclass(frozen=True, slots=True)
class SentMessage:
    """One request as the relay would send it: `text` is what the route's own words come to, `None` where it has none.

    The URL and secrets are left out of `headers` and `body`.
    """

    event: CapturedEvent
    target: str
    route: str
    text: str | None
    headers: dict[str, str]
    body: str

    @property
    def json(self) -> Any:
        """Return what the body says. Raises `ValueError` where it is no JSON."""
        return json.loads(self.body)


def messages(
    events: Iterable[CapturedEvent], configuration: Path | str, env: Mapping[str, str] | None = None
) -> list[SentMessage]:
    """Return what each event becomes for each target that hears of it, in the events' order, each by itself.

    `configuration` is relay.toml, or its text; `env` holds what it looks up as `env:NAME`, beside what is set already.
    Raises `InvalidConfiguration`, and `TemplateFailed` for a route whose words cannot be made.
    """
    with _environment(env or {}):
        found = plugins.discover()
        live = compile_configuration(check(_document(configuration), found, compile_route), found)
    return [message for event in events for message in _sent(live, event)]


def _sent(live: Live, told: CapturedEvent) -> Iterator[SentMessage]:
    now = datetime.now(UTC)
    event = Event(new_id(), told.source, told.type, now, now, encode(told.data), subject=told.subject)
    _, previews = explain(live, event)
    for preview in previews:
        route, target = live.router.named(preview.route), live.targets[preview.target].target
        text = route.text(event, target.escape) if route is not None and target.words else None
        yield SentMessage(told, preview.target, preview.route, text, preview.headers, preview.body)


def _document(configuration: Path | str) -> Document:
    if isinstance(configuration, str) and ("\n" in configuration or not configuration.endswith(".toml")):
        return parse(configuration, "relay.toml")
    return read(Path(configuration))


@contextmanager
def _environment(env: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in env}
    os.environ.update(env)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
