"""Jira."""

from typing import Any, ClassVar

from relay.domain.card import Card, Row, Tone
from relay.domain.event import Event
from relay.domain.inbound import (
    Inbound,
    Provider,
    Reading,
    epoch,
    first_text,
    member,
)
from relay.domain.news import Part, by, dotted, first_line, phrase, rows, spaced, thread_of, titled
from relay.domain.signed import HubProvider
from relay.domain.words import NOTHING

DELIVERY = "x-atlassian-webhook-identifier"
NAMESPACE = "jira:"


class Jira(HubProvider):
    """Webhooks of Jira Cloud and Data Center.

    The event type is `jira.` and the name of the event without a `jira:` before it, such as `jira.issue_updated` or
    `jira.comment_created`. The subject is the issue's key.
    """

    kind: ClassVar[str] = "jira"
    header: ClassVar[str] = "x-hub-signature"

    def read(self, request: Inbound, data: Any) -> Reading:
        """Return the event that the body describes."""
        name = (first_text(data, "webhookEvent") or "event").removeprefix(NAMESPACE)
        return Reading(
            type=f"{self.kind}.{name}",
            dedupe=request.headers.get(DELIVERY) or None,
            subject=first_text(member(data, "issue"), "key"),
            occurred_at=epoch(member(data, "timestamp"), per_second=1000),
        )

    @staticmethod
    def card(event: Event) -> Card | None:
        """Return what is worth reading of the event."""
        return card_of(event)


def card_of(event: Event) -> Card | None:
    """Return the card of what happened to an issue, `None` for events of sprints, versions and the rest."""
    said = Part(event.data)
    issue, name = said.at("issue"), event.type.partition(".")[2]
    if not isinstance(issue.value, dict):
        return None
    fields, comment = issue.at("fields"), said.at("comment")
    changes = tuple(_changed(item) for item in said.each("changelog", "items"))
    closed = any(row.label == "Resolution" and row.old == NOTHING for row in changes)
    who = said.text("user", "displayName") or comment.text("author", "displayName")
    return Card(
        title=titled(_head(issue, name), first_line(fields.text("summary"))),
        subtitle=dotted(fields.text("project", "name") or event.source, by(who)),
        text=comment.text("body") or (fields.text("description") if name == "issue_created" else ""),
        rows=changes
        or rows(
            ("Type", fields.text("issuetype", "name")),
            ("Status", fields.text("status", "name")),
            ("Priority", fields.text("priority", "name")),
            ("Assignee", fields.text("assignee", "displayName")),
        ),
        tone=Tone.GOOD if closed else Tone.WARNING if name == "issue_deleted" else Tone.NEUTRAL,
        link=_link(issue),
        thread=thread_of(event),
    )


def _head(issue: Part, name: str) -> str:
    what, _, verb = name.partition("_")
    word = spaced(verb)
    words = (issue.text("key") or "Issue", word) if what == "issue" else (spaced(what), word, "on", issue.text("key"))
    head = phrase(*words)
    return head[:1].upper() + head[1:] if head else "Issue"


def _changed(item: Part) -> Row:
    field = spaced(item.text("field")) or "Field"
    new, old = item.said("toString") or item.said("to"), item.said("fromString") or item.said("from")
    return Row(field[:1].upper() + field[1:], new or NOTHING, old or NOTHING)


def _link(issue: Part) -> str | None:
    site, found, _ = issue.text("self").partition("/rest/api/")
    key = issue.plain("key")
    return Part(f"{site}/browse/{key}").link() if found and key else None


PROVIDER: type[Provider] = Jira
