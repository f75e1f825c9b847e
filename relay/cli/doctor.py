"""`relay doctor`: is everything there, and does it move?"""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import typer

from relay.cli.output import Json, print_json
from relay.cli.parts import current
from relay.domain.words import counted
from relay.errors import RelayError

if TYPE_CHECKING:
    from relay.store.outbox import ClosedOutbox, Lag, Outbox
    from relay.wiring import Relay

CLOCK_SECONDS = 5.0
LATE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was looked at, whether it is well, and what was seen."""

    check: str
    ok: bool
    detail: str


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(as_json: Json = False) -> None:
    """Check database, migrations, broker, clock, workers, outboxes, the oldest due delivery and targets."""
    findings = list(_examine(current()))
    if as_json:
        print_json({"ok": all(one.ok for one in findings), "checks": [asdict(one) for one in findings]})
    else:
        for one in findings:
            print(f"{'ok  ' if one.ok else 'FAIL'}  {one.check:<12} {one.detail}")
    if not all(one.ok for one in findings):
        raise typer.Exit(1)


def _examine(relay: "Relay") -> Iterator[Finding]:
    checks: list[tuple[str, Callable[[Relay], tuple[bool, str]]]] = [
        ("database", _database),
        ("migrations", _migrations),
        ("broker", _broker),
        ("clock", _clock),
        ("workers", _workers),
        ("deliveries", _oldest),
    ]
    for name, look in checks:
        yield _finding(name, look, relay)
    yield _finding("configuration", _configuration, relay)
    from relay.store.outbox import ClosedOutbox, Outbox

    try:
        live = relay.following.refresh()
        for outbox in relay.collect.outboxes():
            if isinstance(outbox, Outbox | ClosedOutbox):
                yield _finding(f"outbox {outbox.name}", partial(_outbox, outbox), relay)
        for name, target in live.targets.items():
            yield Finding(
                f"target {name}", target.paused is None, f"paused: {target.paused}" if target.paused else "on"
            )
    except RelayError as error:
        yield Finding("outboxes", False, str(error))


def _finding(name: str, look: Callable[["Relay"], tuple[bool, str]], relay: "Relay") -> Finding:
    try:
        return Finding(name, *look(relay))
    except RelayError as error:
        return Finding(name, False, str(error))


def _database(relay: "Relay") -> tuple[bool, str]:
    relay.configuration.version()
    return True, relay.database.engine.dialect.name


def _configuration(relay: "Relay") -> tuple[bool, str]:
    relay.guard.permits("127.0.0.1", 0, "localhost")
    stored = relay.configuration.load()
    found = stored.configuration
    return (
        True,
        f"version {stored.version}: {counted(len(found.targets), 'target')}, {counted(len(found.routes), 'route')}",
    )


def _migrations(relay: "Relay") -> tuple[bool, str]:
    from relay.store import migrate

    if migrate.pending(relay.database):
        return False, "the schema is not that of this version: run `relay migrate`"
    return True, migrate.head()


def _broker(relay: "Relay") -> tuple[bool, str]:
    relay.nudges.reach()
    return True, "answers"


def _clock(relay: "Relay") -> tuple[bool, str]:
    there = relay.nudges.clock()
    if there is None:
        return True, "nothing to compare with"
    apart = abs(time.time() - there)
    return apart < CLOCK_SECONDS, f"{apart:.1f} s from the broker's"


def _workers(relay: "Relay") -> tuple[bool, str]:
    lately = relay.nudges.swept_lately()
    if lately is None:
        return True, "not known without Redis"
    return lately, "they sweep" if lately else "no sweep in the last seconds: start `relay worker` and `relay beat`"


def _oldest(relay: "Relay") -> tuple[bool, str]:
    oldest = relay.deliveries.oldest_due(datetime.now(UTC))
    if oldest is None:
        return True, "nothing is late"
    late = (datetime.now(UTC) - oldest).total_seconds()
    return late < LATE_SECONDS, f"the oldest due delivery has waited for {late:.0f} s"


def _outbox(outbox: "Outbox | ClosedOutbox", _: "Relay") -> tuple[bool, str]:
    return _lag(outbox.lag(), datetime.now(UTC))


def _lag(lag: "Lag", now: datetime) -> tuple[bool, str]:
    if lag.oldest is None:
        return True, "empty"
    # An application's clock may be ahead of this one.
    late = max(0.0, (now - lag.oldest).total_seconds())
    rows = counted(lag.rows, "row waits", "rows wait")
    return late < LATE_SECONDS, f"{rows}, the oldest for {late:.0f} s"
