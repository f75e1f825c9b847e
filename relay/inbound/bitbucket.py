"""Bitbucket."""

from typing import Any, ClassVar

from relay.domain.card import Card, Tone
from relay.domain.event import Event
from relay.domain.inbound import Inbound, Provider, Reading, first_text, member
from relay.domain.news import (
    Part,
    by,
    commit_line,
    dotted,
    first_line,
    listed,
    rows,
    spaced,
    thread_of,
    titled,
)
from relay.domain.signed import HubProvider
from relay.domain.words import counted
from relay.errors import Unreadable

EVENT = "x-event-key"
DELIVERY = "x-request-uuid"
VERBS = {
    "fulfilled": "merged",
    "rejected": "declined",
    "unapproved": "approval taken back",
    "changes_request_created": "changes requested",
    "comment_created": "new comment",
}
TONES = {
    "fulfilled": Tone.GOOD,
    "approved": Tone.GOOD,
    "rejected": Tone.WARNING,
    "changes_request_created": Tone.WARNING,
}


class Bitbucket(HubProvider):
    """Webhooks of Bitbucket Cloud and Data Center.

    The event type is `bitbucket.` and the event's key, such as `bitbucket.repo:push`. The subject is
    `workspace/repository`, with `#12` for a pull request.
    """

    kind: ClassVar[str] = "bitbucket"
    header: ClassVar[str] = "x-hub-signature"

    def read(self, request: Inbound, data: Any) -> Reading:
        """Return the event that the headers name, about the repository and pull request in the body."""
        name = request.headers.get(EVENT)
        if not name:
            raise Unreadable(f"the header {EVENT} is missing")
        subject, number = first_text(member(data, "repository"), "full_name"), member(data, "pullrequest", "id")
        if subject and isinstance(number, int):
            subject = f"{subject}#{number}"
        return Reading(type=f"{self.kind}.{name}", dedupe=request.headers.get(DELIVERY) or None, subject=subject)

    @staticmethod
    def card(event: Event) -> Card | None:
        """Return what is worth reading of the event."""
        return card_of(event)


def card_of(event: Event) -> Card | None:
    """Return the card of a push or of what was done to a pull request in the Cloud, `None` for the rest."""
    kind, _, verb = event.type.partition(".")[2].partition(":")
    said = Part(event.data)
    if kind == "repo" and verb == "push" and (changes := said.each("push", "changes")):
        return _push(event, said, changes)
    request = said.at("pullrequest")
    return _pull_request(event, said, request, verb) if isinstance(request.value, dict) else None


def _push(event: Event, said: Part, changes: list[Part]) -> Card:
    change, who = changes[0], said.text("actor", "display_name") or "Somebody"
    new, old = change.at("new"), change.at("old")
    kind, name = spaced(new.text("type") or old.text("type")) or "branch", new.text("name") or old.text("name")
    commits = [commit for each in changes for commit in each.each("commits")]
    if not isinstance(new.value, dict):
        title = f"{who} deleted the {kind} {name}"
    elif not commits:
        title = f"{who} pushed the {kind} {name}"
    else:
        more = "more than " if any(each.is_true("truncated") for each in changes) else ""
        where = name if len(changes) == 1 else counted(len(changes), "ref")
        title = f"{who} pushed {more}{counted(len(commits), 'commit')} to {where}"
    return Card(
        title=title,
        subtitle=_repository(event, said),
        text=listed(commit_line(commit.text("hash"), commit.text("message")) for commit in commits),
        tone=Tone.WARNING if change.is_true("forced") else Tone.NEUTRAL,
        link=change.link("links", "html", "href") or said.link("repository", "links", "html", "href"),
    )


def _pull_request(event: Event, said: Part, request: Part, verb: str) -> Card:
    number = request.number("id")
    head = "Pull request" if number is None else f"Pull request #{number}"
    source, target = request.text("source", "branch", "name"), request.text("destination", "branch", "name")
    return Card(
        title=titled(f"{head} {VERBS.get(verb) or spaced(verb)}".rstrip(), first_line(request.text("title"))),
        subtitle=dotted(_repository(event, said), by(said.text("actor", "display_name"))),
        text=said.text("comment", "content", "raw") or (request.text("description") if verb == "created" else ""),
        rows=rows(
            ("Branch", f"{source} → {target}" if source and target else ""),
            ("Reviewers", request.names("reviewers", by="display_name")),
            ("Reason", request.text("reason")),
        ),
        tone=TONES.get(verb, Tone.NEUTRAL),
        link=said.link("comment", "links", "html", "href") or request.link("links", "html", "href"),
        thread=thread_of(event),
    )


def _repository(event: Event, said: Part) -> str:
    return said.text("repository", "full_name") or event.source


PROVIDER: type[Provider] = Bitbucket
