"""GitHub."""

from typing import Any, ClassVar

from relay.domain.card import Card
from relay.domain.event import Event
from relay.domain.inbound import Inbound, Provider, Reading, member
from relay.domain.signed import HubProvider
from relay.errors import Unreadable
from relay.inbound.github.news import card_of

EVENT = "x-github-event"
DELIVERY = "x-github-delivery"
NUMBERED = ("pull_request", "issue", "discussion")


class GitHub(HubProvider):
    """Webhooks of GitHub: repositories, organisations and apps.

    Choose the content type `application/json` at GitHub and give both sides the same secret. The event type is
    `github.` and the name of the event, such as `github.push` or `github.pull_request`; what happened to it is
    `data.action`. The subject is `owner/repository`, with `#12` for an issue, a pull request or a discussion.
    """

    kind: ClassVar[str] = "github"
    header: ClassVar[str] = "x-hub-signature-256"

    def read(self, request: Inbound, data: Any) -> Reading:
        """Return the event that the headers name, about the repository and number in the body."""
        name = request.headers.get(EVENT)
        if not name:
            raise Unreadable(f"the header {EVENT} is missing")
        return Reading(type=f"{self.kind}.{name}", dedupe=request.headers.get(DELIVERY) or None, subject=_subject(data))

    @staticmethod
    def card(event: Event) -> Card | None:
        """Return what is worth reading of the event."""
        return card_of(event)


def _subject(data: Any) -> str | None:
    repository = member(data, "repository", "full_name")
    if not isinstance(repository, str) or not repository:
        return None
    numbers = (member(data, name, "number") for name in NUMBERED)
    number = next((number for number in numbers if isinstance(number, int)), None)
    return repository if number is None else f"{repository}#{number}"


PROVIDER: type[Provider] = GitHub
