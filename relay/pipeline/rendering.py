"""Routes made ready to use: their condition and templates compiled, and a message made of an event."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote

from relay.domain.card import Card, default_thread, event_card, web_link
from relay.domain.event import Event, parse_json
from relay.domain.person import PREFIX, WORDS, is_person, target_of
from relay.domain.route import Route
from relay.domain.style import PLAIN, Cards, JsonText, Style
from relay.domain.target import Message, Target, style_of
from relay.domain.templates import Escape, Template, TemplateFailed
from relay.errors import Unreadable
from relay.pipeline.conditions import Condition, Facts

_Made = TypeVar("_Made")


class BadExpression(ValueError):
    """A route's condition or template is wrong. `key` says which, such as `digest.key`; the message is one line."""

    def __init__(self, key: str, message: str) -> None:
        self.key = key
        super().__init__(message)


class CompiledRoute:
    """A route with its condition and templates compiled."""

    def __init__(self, route: Route, when: Condition | None, templates: Mapping[str, Template]) -> None:
        self.route = route
        self._when = when
        self._templates = templates
        self._people = {to: Template(to.removeprefix(PREFIX)) for to in route.to if is_person(to)}

    def reason(self, event: Event, facts: Facts | None = None) -> str | None:
        """Return `None` if the route takes the event, else why not, in one line.

        `facts` is the event as conditions see it: pass one along when asking many routes.
        """
        route = self.route
        if not route.takes_type(event.type):
            return f"type {event.type} is none of {', '.join(route.types or ())}"
        if not route.takes_source(event.source):
            return f"source {event.source} is none of {', '.join(route.sources or ())}"
        return self.why_not(event, facts or Facts(event))

    def why_not(self, event: Event, facts: Facts) -> str | None:
        """Return `None` if the route takes an event of its types and sources, else why not."""
        if not self.route.samples(event.id):
            return f"it is none of the {self.route.sample:.15g} of events that are sampled"
        reason = self._when.why_not(facts) if self._when else None
        return None if reason is None else f"when: {reason}"

    def hearers(self, event: Event) -> tuple[list[str], list[str]]:
        """Return the targets that an event is for, those of people among them; and why it names no person there."""
        targets, wrong = [], []
        for to in self.route.to:
            if to not in self._people:
                targets.append(to)
                continue
            try:
                name = self._people[to].render(event, str)
            except TemplateFailed as failure:
                wrong.append(f"{to} names nobody: {failure}")
                continue
            if target := target_of(name):
                targets.append(target)
            else:
                wrong.append(f"{to} names nobody: a name has {WORDS}")
        return targets, wrong

    def text(self, event: Event, escape: Escape, style: Style = PLAIN) -> str | None:
        """Return the route's words for the event, `None` where it has none. Raises `TemplateFailed`."""
        return self._fill("text", event, escape, style)

    def thread(self, event: Event) -> str | None:
        """Return the thread the route puts the event in, `None` where it names none. Raises `TemplateFailed`."""
        return self._fill("thread", event, str)

    def link(self, event: Event) -> str | None:
        """Return the address of what the event is about, `None` where the route names none. Raises `TemplateFailed`."""
        address = (self._fill("link", event, _in_address) or "").strip()
        if address and web_link(address) is None:
            raise TemplateFailed("it makes no http or https address")
        return address or None

    def layout(self, event: Event, cards: Cards) -> dict[str, Any] | None:
        """Return the whole card that the route makes, `None` where it makes none. Raises `TemplateFailed`."""
        if "card" not in self._templates:
            return None
        try:
            made = parse_json((self._fill("card", event, JsonText(cards.escape)) or "").encode(errors="replace"))
        except Unreadable as error:
            raise TemplateFailed(error.message) from None
        if (problem := cards.check(made)) is not None:
            raise TemplateFailed(problem)
        return dict(made)

    def digest_key(self, event: Event) -> str:
        """Return what the event is gathered by, beside route and target. Raises `TemplateFailed`."""
        return self._fill("digest.key", event, str) or ""

    def dedupe_key(self, event: Event) -> str:
        """Return what is the same in events that say the same; empty for one that is like no other.

        Raises `TemplateFailed`.
        """
        if template := self._templates.get("dedupe.key") or self._templates.get("text"):
            return template.render(event, str).strip()
        return f"{event.type} {json.dumps(event.data, sort_keys=True)}"

    def _fill(self, key: str, event: Event, escape: Escape, style: Style = PLAIN) -> str | None:
        template = self._templates.get(key)
        return template.render(event, escape, style) if template else None


def _in_address(value: str) -> str:
    """Return a value as a part of an address; one that is an address itself stays as it is."""
    return value if web_link(value) else quote(value, safe="", errors="replace")


def compile_route(route: Route) -> CompiledRoute:
    """Return the route ready to use. Raises `BadExpression` for a wrong condition or template."""
    sources = {
        "text": route.text,
        "thread": route.thread,
        "link": route.link,
        "card": route.card,
        "digest.key": route.digest.key if route.digest else None,
        "dedupe.key": route.dedupe.key if route.dedupe else None,
    }
    key, templates = "when", {}
    try:
        when = Condition(route.when) if route.when is not None else None
        for key, source in sources.items():
            if source is not None:
                templates[key] = Template(source)
    except ValueError as error:
        raise BadExpression(key, str(error)) from None
    return CompiledRoute(route, when, templates)


def compose(
    route: CompiledRoute | None,
    event: Event,
    target: Target,
    message_id: str,
    sent_at: datetime,
    earlier: int = 0,
    told: Card | None = None,
    former: tuple[str, ...] = (),
    page: str | None = None,
) -> Message:
    """Return the message that tells `target` of the event; `message_id` is its `webhook-id`.

    `told` is what the event's provider makes of it, `former` the replaced secrets that still sign, `page` where the
    relay shows the event. A template that fails costs the words, not the news: the card tells the event, with a notice.
    So it does when the route is there no more (`None`).
    """
    if not target.words:
        return Message(message_id, event, sent_at, earlier=earlier, former=former)
    failures: list[str] = []

    def tried(key: str, fill: Callable[[], _Made | None]) -> _Made | None:
        try:
            return fill()
        except TemplateFailed as failure:
            failures.append(f"The {key} of route {route.route.name} failed: {failure}" if route else str(failure))
            return None

    text = thread = layout = None
    if route is not None:
        style = style_of(target)
        if style.cards:
            layout = tried("card", partial(route.layout, event, style.cards))
        text = tried("text", lambda: route.text(event, target.escape, style))
        thread = tried("thread", lambda: route.thread(event))
        if link := tried("link", lambda: route.link(event)):
            told = replace(told or event_card(event), link=link)
    if text is None and layout is None:
        # Once: a message that holds none makes it anew each time that its kind asks.
        told = told or event_card(event)
    if thread is None:
        thread = told.thread if told else default_thread(event)
    notice = " ".join(failures) or None
    if text and notice:
        text = f"{text}\n{target.escape(notice)}"
    return Message(message_id, event, sent_at, text, thread, page, notice, earlier, told, former, layout=layout)
