"""What a target kind sees of a delivery, and what it says of the reply. It opens no socket."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StrictBool, StrictInt, model_validator

from relay.domain.card import Card, event_card
from relay.domain.durations import Duration, Rate
from relay.domain.event import Event
from relay.domain.names import Name
from relay.domain.retry import FIELD_DEFAULT, Schedule
from relay.domain.style import PLAIN, Style

if TYPE_CHECKING:
    import requests


Concurrency = Annotated[StrictInt, Field(ge=1, le=1000)]
"""How many requests may be under way at once."""


class TargetOptions(BaseModel):
    """What every `[[targets]]` table may hold; each kind adds its own fields and its own defaults.

    `concurrency` bounds the requests under way at once, of all workers together where it is given; its default is for
    each of them. With `order = "subject"`, `after_dead` says whether a dead delivery blocks the later ones of its
    subject.
    """

    # A rejected value may be a URL or a key: it must not come back in the error's words.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: Name
    kind: str
    timeout: Annotated[Duration, Field(gt=0, le=120)] = 15.0
    rate: Rate | None = None
    concurrency: Concurrency = 32
    order: Literal["none", "subject"] = "none"
    after_dead: Literal["skip", "block"] = "skip"
    retry: Schedule = Schedule.model_validate(FIELD_DEFAULT)
    fallback: Name | None = None


class WordsOptions(TargetOptions):
    """Options of kinds that people read. `fold` tells many deliveries in one message when more wait than can be read.

    A target that takes the events of a subject in their order is told them one by one.
    """

    fold: StrictBool = True

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.order == "subject" and self.fold and "fold" in self.model_fields_set:
            raise ValueError('with order = "subject" each event is a message of its own: leave out fold')
        return self


@dataclass(frozen=True, slots=True)
class Message:
    """One delivery as a target kind renders it.

    `id` is the `webhook-id`. `text` is the route's template rendered, `None` where the route has none and the kind
    shows the `card` in its own way: `told` if the event's provider knows how to tell it, else that of any event.
    `thread` groups messages in a conversation. `link` leads to the event in the relay, if known. `notice` says which of
    the route's templates failed, and is shown beside the news. `earlier` counts the attempts made before the delivery
    was last replayed: the same for each try of one sending. `former` holds signing secrets that were replaced so lately
    that they go on signing beside the present ones. `folded` counts the deliveries that it tells beside its own, in a
    `card` of them all: `event` is the leader's then. `layout` is a whole card in the kind's own JSON, which a template
    made and the kind found good: it goes before everything else.
    """

    id: str
    event: Event
    sent_at: datetime
    text: str | None = None
    thread: str | None = None
    link: str | None = None
    notice: str | None = None
    earlier: int = 0
    told: Card | None = None
    former: tuple[str, ...] = ()
    folded: int = 0
    layout: Mapping[str, Any] | None = None
    _card: Card | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def card(self) -> Card:
        """The news of the event."""
        # Kinds ask for it several times, and making it costs as much as all the rest of a message.
        if self._card is None:
            object.__setattr__(self, "_card", card := self.told or event_card(self.event))
            return card
        return self._card


OVERLAP = timedelta(hours=24)
"""How long a signing secret that was replaced goes on signing."""


@dataclass(frozen=True, slots=True)
class Former:
    """A signing secret that was replaced, and when."""

    secret: SecretStr
    replaced_at: datetime

    def signs(self, at: datetime) -> bool:
        """Say whether it still signs at this moment."""
        return at < self.replaced_at + OVERLAP


@dataclass(frozen=True, slots=True)
class Delivered:
    """The target took it. `reason` says what went amiss all the same, such as one recipient of several refused."""

    reason: str | None = None


@dataclass(frozen=True, slots=True)
class TryLater:
    """The target may take it later, not before `not_before` if it said so. `reason` holds no secret."""

    reason: str
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The target will never take it. `gone` says that it takes nothing any more: the target is paused."""

    reason: str
    gone: bool = False


Outcome = Delivered | TryLater | Refused


class Target(Protocol):
    """One kind of place that events go to: renders a request, judges a response.

    `Options` says which fields its table in relay.toml has. `pace` is the key under which requests are paced: targets
    that share a quota return the same one.
    """

    kind: ClassVar[str]
    Options: ClassVar[type[TargetOptions]]
    words: ClassVar[bool]
    """Whether people read it: else a message has neither text nor thread, and no template is rendered.

    Such a kind may have a `style` too: how it writes links, code and mentions, and whether it takes whole cards.
    """

    def __init__(self, options: Any) -> None: ...

    @property
    def pace(self) -> str:
        """The key of the quota this target draws on; holds no secret."""

    @staticmethod
    def escape(value: str) -> str:
        """Return a value from an event so that this kind shows it as plain text, whatever markup it holds."""

    def render(self, message: Message) -> "requests.Request":
        """Return the request that tells `message`; the same message gives the same request, but for its timestamp."""

    def judge(self, response: "requests.Response", now: datetime) -> Outcome:
        """Return what the response means. Never raises: a nonsense reply is an outcome too."""


def style_of(target: Target | type[Target]) -> Style:
    """Return how the target's kind writes what templates mark: plain words, unless it says otherwise."""
    style = getattr(target, "style", PLAIN)
    return style if isinstance(style, Style) else PLAIN
