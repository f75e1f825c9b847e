"""See before you send: what would become of an event, and one test message sent now."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

import requests

from relay.domain.delivery import Attempt, Claimed, webhook_id
from relay.domain.event import Event
from relay.domain.templates import TemplateFailed
from relay.errors import NotFound, UsageError
from relay.pipeline.accept import read_cloudevent, record
from relay.pipeline.judging import judge, show, unmade
from relay.pipeline.live import Live
from relay.pipeline.ports import Transport
from relay.pipeline.rendering import CompiledRoute, compose
from relay.pipeline.routing import Explanation

TEST_TYPE = "relay.test"

_MARGIN = 5.0


@dataclass(frozen=True, slots=True)
class Preview:
    """One message as it would be sent; URL and secrets are left out."""

    target: str
    route: str
    method: str
    headers: dict[str, str]
    body: str


def explain(live: Live, event: Event) -> tuple[list[Explanation], list[Preview]]:
    """Return what each route makes of an event, and each message that would be sent."""
    previews = [
        preview(live, target, route, event) for target, route in live.router.match(event) if target in live.targets
    ]
    return live.router.explain(event), previews


def show_explained(explanations: list[Explanation], previews: list[Preview]) -> dict[str, Any]:
    """Return what became of an event as JSON shows it."""
    return {"routes": [asdict(one) for one in explanations], "messages": [asdict(one) for one in previews]}


def event_of(document: Any, now: datetime) -> Event:
    """Return the event of a CloudEvent, or of an object with `type` and, if need be, `source`, `subject`, `data`.

    Raises `UsageError` for what is neither, and `Unreadable` for what cannot be stored.
    """
    if isinstance(document, dict) and "specversion" in document:
        return read_cloudevent(document, now)
    if not isinstance(document, dict) or not isinstance(document.get("type"), str):
        raise UsageError("this is no event", hint='{"type": "orders.paid", "source": "shop", "data": {...}}')
    subject = document.get("subject")
    if not isinstance(subject, str | None):
        raise UsageError("the event's subject is text")
    return record(document["type"], str(document.get("source", "cli")), subject, document.get("data"), now)


def sample_event(text: str | None, now: datetime) -> Event:
    """Return the event of a test message."""
    return record(TEST_TYPE, "relay", None, {"message": text or "A test message of the relay."}, now)


def send_test(live: Live, name: str, event: Event, text: str | None, transport: Callable[[], Transport]) -> Attempt:
    """Send one message to a target now, beside all queues, and return the attempt. Raises `NotFound`."""
    if name not in live.targets:
        raise NotFound(f"there is no target {name}", hint="`relay apply` adds it")
    target = live.targets[name]
    at = datetime.now(UTC)
    composed = compose(None, event, target.target, webhook_id(event.id, name), at, former=target.signing(at))
    message = replace(composed, text=text)
    try:
        request = target.target.render(message)
    except TemplateFailed as error:
        outcome, reason = unmade(error, target)
        return Attempt(event.id, 1, at, 0.0, outcome, error=reason)
    mover = transport()
    mover.send(event.id, request, target.options.timeout)
    (reply,) = mover.poll(target.options.timeout + _MARGIN)
    claimed = Claimed(id=event.id, event=event, route="", target=name, attempts=0, tries=0, lease="")
    verdict, _ = judge(reply, claimed, target, at, datetime.now(UTC), 0.0)
    return verdict.attempt


def preview(live: Live, name: str, route: CompiledRoute, event: Event) -> Preview:
    """Return the message that tells a target of an event in the words of a route, or why it cannot be made."""
    target = live.targets[name]
    told, identity = live.told(event, target.target), webhook_id(event.id, name)
    now = datetime.now(UTC)
    message = compose(
        route, event, target.target, identity, now, told=told, former=target.signing(now), page=live.page(event)
    )
    try:
        request = target.target.render(message)
    except TemplateFailed as error:
        return Preview(name, route.route.name, "", {}, unmade(error, target)[1])
    prepared = requests.Request(
        request.method, "http://target/", headers=request.headers, data=request.data, auth=request.auth
    ).prepare()
    body = prepared.body or b""
    return Preview(
        target=name,
        route=route.route.name,
        method=prepared.method or "",
        headers={key: show(value, target.secrets) for key, value in prepared.headers.items()},
        body=show(body.decode(errors="replace") if isinstance(body, bytes) else body, target.secrets),
    )
