"""Many deliveries told in one message: how many of which kind, when, and the first of them in a line each."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC

from relay.domain.card import Card, Row, Tone
from relay.domain.delivery import Rider
from relay.domain.event import Event
from relay.domain.words import counted, unmarked

ALONE = 5
"""As many as this may wait for a place that people read, and are still told one by one."""

MOST = 1000
"""Deliveries that one message tells at most: what it takes to bind them should hold nobody else up."""

LINES = 10
TYPES = 10
SOURCES = 3
LINE = 160
"""Characters of a line."""
LOOKED_AT = 2000
"""Characters of a text in which its first line is looked for."""

_CHANGES = (".created", ".updated", ".deleted")
_LOUDEST = (Tone.BAD, Tone.WARNING, Tone.GOOD, Tone.NEUTRAL)


def spoken_for(told: Sequence[Rider]) -> list[Rider]:
    """Return those that get a line: the first of each type, so that none goes unseen, then the oldest; in order."""
    first: dict[str, Rider] = {}
    for one in told:
        first.setdefault(one.type, one)
    chosen = list(first.values())[:LINES]
    chosen += [one for one in told if one not in chosen][: LINES - len(chosen)]
    return sorted(chosen, key=lambda one: one.seq)


def fold_card(told: Sequence[Rider], lines: Sequence[str], tones: Iterable[Tone], thread: str | None) -> Card:
    """Return the card of them all: `lines` and `tones` are those of some, `thread` the one that all share."""
    missing = len(told) - len(lines)
    heard = set(tones)
    return Card(
        title=f"{len(told):,} {_noun(told)} from {_sources(told)}",
        subtitle=_span(told),
        text="\n".join([*lines, f"… and {missing:,} more"] if missing else lines),
        rows=_counts(told),
        tone=next((tone for tone in _LOUDEST if tone in heard), Tone.NEUTRAL),
        thread=thread,
    )


def line_of(event: Event, card: Card, text: str | None) -> str:
    """Return an event in one line: of its route's `text` the first, else its card's title and what changed."""
    lines = unmarked((text or "")[:LOOKED_AT]).splitlines()
    said = next((line for line in lines if line.strip()), None) or _headline(event, card)
    line = " ".join(said.split())
    return line if len(line) <= LINE else f"{line[: LINE - 1]}…"


def _headline(event: Event, card: Card) -> str:
    if card.title == event.type and event.subject:
        return f"{card.title}: {event.subject}"
    changed = next((row for row in card.rows if row.old is not None), None)
    return f"{card.title}: {changed.label} {changed.old} → {changed.value}" if changed else card.title


def _noun(told: Sequence[Rider]) -> str:
    return "changes" if all(one.type.endswith(_CHANGES) for one in told) else "events"


def _sources(told: Sequence[Rider]) -> str:
    names = list(dict.fromkeys(one.source for one in told))
    if len(names) > SOURCES:
        return f"{len(names)} sources"
    return " and ".join(", ".join(names).rsplit(", ", 1))


def _span(told: Sequence[Rider]) -> str:
    first, last = (found(one.at for one in told).astimezone(UTC) for found in (min, max))
    begin, end = f"{first:%Y-%m-%d %H:%M:%S}", f"{last:%Y-%m-%d %H:%M:%S}"
    if begin == end:
        return f"{begin} UTC"
    return f"{begin} – {end[11:] if begin[:10] == end[:10] else end} UTC"


def _counts(told: Sequence[Rider]) -> tuple[Row, ...]:
    types = Counter(one.type for one in told).most_common()
    rows = [Row(name, f"{count:,}") for name, count in types[:TYPES]]
    if rest := types[TYPES:]:
        rows.append(Row(f"… {counted(len(rest), 'more type')}", f"{sum(count for _, count in rest):,}"))
    return tuple(rows)
