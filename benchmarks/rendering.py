"""What do routing and rendering one event cost: ours, and the plain way with the same libraries."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import jinja2
from cel_expr_python import cel

from benchmarks.report import Row, medians_of
from relay.domain.event import Event, encode
from relay.domain.route import Route
from relay.inbound.github import PROVIDER
from relay.pipeline.rendering import CompiledRoute, compile_route, compose
from relay.pipeline.routing import Router
from relay.targets.google_chat import TARGET, GoogleChatOptions

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
URL = "https://chat.googleapis.com/v1/spaces/AAQA/messages?key=k&token=t"
ROUTES = 100
OTHER_ROUTES = 10_000
TIMES = 5_000
ROW = {"id": 42, "status": "new", "customer": "Ana Liu", **{f"column_{number}": "some words" for number in range(17)}}
PAID = {**ROW, "status": "paid", "customer": "Ana & Co", "column_3": "other words"}
DATA = {"before": ROW, "after": PAID, "changed": ["status", "customer", "column_3"], "meta": {"actor": "ana"}}
COMMIT = {"id": "9fceb02d0ae598e95dc970b74767f19372d61af8", "message": "Count the total in cents\n\nFloats lose some."}
PUSH = {
    "ref": "refs/heads/main",
    "compare": "https://github.com/acme/shop/compare/1...2",
    "pusher": {"name": "ana"},
    "commits": [{**COMMIT, "author": {"name": "Ana Liu"}, "modified": ["total.py"]}] * 5,
    "repository": {"full_name": "acme/shop", "html_url": "https://github.com/acme/shop"},
}
TEXT = "Order *{{ data.after.id }}* of {{ data.after.customer }} is {{ data.after.status }}"


def event() -> Event:
    """Return an event as the store gives it, its data not read yet."""
    return Event("e1", "shop", "orders.updated", AT, AT, encode(DATA), subject="orders/42")


def microseconds(work: Callable[[], object], times: int) -> float:
    """Return what one call takes of the processor: what others do beside it does not count."""
    started = time.thread_time()
    for _ in range(times):
        work()
    return (time.thread_time() - started) / times * 1e6


def card(times: int) -> Row:
    """Measure the default card of a changed row; the plain way prints the data into a text."""
    target = TARGET(GoogleChatOptions.model_validate({"name": "room", "kind": "google_chat", "url": URL}))

    def ours() -> object:
        return target.render(compose(None, event(), target, "e1_room", AT))

    def plain() -> object:
        told = json.loads(event().body)
        return json.dumps({"text": json.dumps(told["after"], indent=1)})

    mine, theirs = medians_of(lambda: microseconds(ours, times), lambda: microseconds(plain, times))
    return Row("default card of a changed row", "us", mine, theirs)


def news(times: int) -> Row:
    """Measure the card of a push to GitHub, with five commits; the plain way prints the commits into a text."""
    target = TARGET(GoogleChatOptions.model_validate({"name": "room", "kind": "google_chat", "url": URL}))
    body = encode(PUSH)

    def ours() -> object:
        pushed = Event("e1", "github", "github.push", AT, AT, body, subject="acme/shop")
        return target.render(compose(None, pushed, target, "e1_room", AT, told=PROVIDER.card(pushed)))

    def plain() -> object:
        return json.dumps({"text": json.dumps(json.loads(body)["commits"], indent=1)})

    mine, theirs = medians_of(lambda: microseconds(ours, times), lambda: microseconds(plain, times))
    return Row("card of a push to GitHub", "us", mine, theirs)


def text(times: int) -> Row:
    """Measure a route's text, escaped and sandboxed; the plain way is Jinja without either."""
    route = compile_route(Route(name="r", to=("room",), text=TEXT))
    target = TARGET(GoogleChatOptions.model_validate({"name": "room", "kind": "google_chat", "url": URL}))
    template = jinja2.Environment(autoescape=False).from_string(TEXT)
    known = event()
    _ = known.data

    mine, theirs = medians_of(
        lambda: microseconds(lambda: compose(route, known, target, "e1_room", AT), times),
        lambda: microseconds(lambda: template.render(event=known.facts, data=known.data), times),
    )
    return Row("text of a route's template", "us", mine, theirs)


def match(times: int) -> Row:
    """Measure an event against 100 conditions of its type; the plain way converts the event for each."""
    conditions = [_condition(number) for number in range(ROUTES)]
    router = Router([_route(number, "orders") for number in range(ROUTES)])
    environment = cel.NewEnv(variables={"event": cel.Type.DYN, "data": cel.Type.DYN})
    expressions = [environment.compile(when) for when in conditions]

    def plain() -> object:
        known = event()
        facts = {"event": known.facts, "data": known.data}
        return [expression for expression in expressions if expression.eval(data=facts).value()]

    mine, theirs = medians_of(
        lambda: microseconds(lambda: router.match(event()), times), lambda: microseconds(plain, times)
    )
    return Row(f"match against {ROUTES} conditions", "us", mine, theirs)


def others(times: int) -> Row:
    """Measure the same event among ten thousand routes of other types; the baseline is without those."""
    few = [_route(number, "orders") for number in range(ROUTES)]
    among = Router([*few, *(_route(ROUTES + number, f"table{number}") for number in range(OTHER_ROUTES))])
    alone = Router(few)

    # Of a type that was not seen before, each time: what is remembered of a type costs nothing.
    def rate(router: Router) -> float:
        kinds = iter(range(times))
        return microseconds(lambda: router.match(replace(event(), type=f"orders.{next(kinds)}")), times)

    mine, theirs = medians_of(lambda: rate(among), lambda: rate(alone))
    return Row(
        f"match of a new type among {OTHER_ROUTES:,} routes of other types, and without them", "us", mine, theirs
    )


def _route(number: int, table: str) -> CompiledRoute:
    fields = {"name": f"r{number}", "to": (f"room{number}",), "types": (f"{table}.*",), "when": _condition(number)}
    return compile_route(Route.model_validate(fields))


def _condition(number: int) -> str:
    return f"data.after.status == 'paid' && data.before.id != {number}"


def run(scale: float = 1.0) -> list[Row]:
    """Return the five answers."""
    times, few = (max(10, int(number * scale)) for number in (TIMES, TIMES // 10))
    return [card(times), news(times), text(times), match(few), others(few)]


if __name__ == "__main__":
    for row in run():
        print(row)
