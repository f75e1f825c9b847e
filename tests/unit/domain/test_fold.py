"""One card for many deliveries."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone

import pytest

from relay.domain.card import Card, Row, Tone, event_card
from relay.domain.delivery import Rider
from relay.domain.event import Event, encode
from relay.domain.fold import LINE, LINES, TYPES, fold_card, line_of, spoken_for
from relay.domain.words import unmarked

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def riders(*types: str, source: str = "shop", every: timedelta = timedelta(seconds=1)) -> list[Rider]:
    """Return a delivery of each type, one after another."""
    return [Rider(seq, "all", source, kind, NOW + seq * every) for seq, kind in enumerate(types)]


def card(told: Sequence[Rider], *lines: str, tones: Sequence[Tone] = ()) -> Card:
    """Return the card of them."""
    return fold_card(told, lines, tones, None)


def test_it_counts_by_type() -> None:
    """The title says how many of what, from where; the rows how many of each type, the most frequent first."""
    made = card(riders(*["orders.created"] * 2, *["orders.updated"] * 3000), "Order 1 created")
    assert made.title == "3,002 changes from shop"
    assert made.subtitle == "2026-03-01 12:00:00 – 12:50:01 UTC"
    assert made.rows == (Row("orders.updated", "3,000"), Row("orders.created", "2"))
    assert made.text == "Order 1 created\n… and 3,001 more"


def test_sources_and_days_are_named() -> None:
    """Events of two sources, over midnight, at the very same moment."""
    mixed = [*riders("push", every=timedelta(0)), Rider(9, "all", "github", "push", NOW + timedelta(days=1))]
    assert card(mixed).title == "2 events from shop and github"
    assert card(mixed).subtitle == "2026-03-01 12:00:00 – 2026-03-02 12:00:00 UTC"
    assert card(riders("push", "push", every=timedelta(0))).subtitle == "2026-03-01 12:00:00 UTC"
    elsewhere = Rider(1, "all", "shop", "push", NOW.astimezone(timezone(timedelta(hours=5))))
    assert card([elsewhere]).subtitle == "2026-03-01 12:00:00 UTC"
    assert card([one for name in "abcd" for one in riders("push", source=name)]).title == "4 events from 4 sources"


def test_many_types_have_an_end() -> None:
    """Of hundreds of types the rarest are counted together, and so many lines are chosen as fit."""
    told = riders(*(f"type{number}" for number in range(300)), *["often"] * 50)
    rows = card(told).rows
    assert len(rows) == TYPES + 1
    assert rows[0] == Row("often", "50")
    assert rows[-1] == Row("… 291 more types", "291")
    assert len(spoken_for(told)) == LINES


def test_no_type_goes_unseen() -> None:
    """Each type has a line before any has a second, and lines stand in the order of the events."""
    told = riders(*["orders.updated"] * 500, "alert.firing", *["orders.updated"] * 500, "alert.resolved")
    chosen = [one.seq for one in spoken_for(told)]
    assert chosen == [*range(LINES - 2), 500, 1001]


@pytest.mark.parametrize(
    ("tones", "loudest"),
    [([], Tone.NEUTRAL), ([Tone.NEUTRAL, Tone.GOOD], Tone.GOOD), ([Tone.GOOD, Tone.BAD, Tone.WARNING], Tone.BAD)],
)
def test_the_loudest_tone_is_heard(tones: list[Tone], loudest: Tone) -> None:
    """An alarm among good news is an alarm."""
    assert card(riders("a", "b"), tones=tones).tone is loudest


def event(data: object, **fields: str) -> Event:
    """An event with this data."""
    known = {"type": "orders.updated", "subject": "orders/42", **fields}
    return Event(id="e", source="shop", occurred_at=NOW, received_at=NOW, body=encode(data), **known)


def test_lines_say_what_happened() -> None:
    """A changed row tells its first change, a provider's card its title, anything else its type and subject."""
    row = {"before": {"status": "new"}, "after": {"status": "paid"}, "changed": ["status"]}
    changed, plain = event(row), event({"a": 1})
    assert line_of(changed, event_card(changed), None) == "Order 42 updated: status new → paid"
    assert line_of(plain, event_card(plain), None) == "orders.updated: orders/42"
    assert line_of(plain, Card("ana pushed 3 commits"), None) == "ana pushed 3 commits"
    assert line_of(plain, Card("x"), "\n  *Paid*:\t42\nmore") == "Paid: 42"
    assert line_of(plain, Card("x"), " \n") == "x"
    assert line_of(plain, Card("word " * 100), None) == ("word " * 100)[: LINE - 1] + "…"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("*bold*, _italic_, ~struck~ and `code`", "bold, italic, struck and code"),
        ("<https://example.com/a?b=1|a link> to it", "a link to it"),
        ("order_id and 2*3 stay", "order_id and 2*3 stay"),
        ("```\ncode\n```", "\ncode\n"),
    ],
)
def test_markup_goes(text: str, plain: str) -> None:
    """What chats would format is left out; what is part of a word stays."""
    assert unmarked(text) == plain
