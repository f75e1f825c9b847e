"""What is worth reading of GitLab's events (GitLab docs, "Webhook events")."""

from collections.abc import Callable, Mapping

from relay.domain.card import Card, Tone
from relay.domain.event import Event
from relay.domain.news import (
    Part,
    by,
    commit_line,
    dotted,
    first_line,
    listed,
    phrase,
    rows,
    spaced,
    thread_of,
    titled,
    tone_of,
)
from relay.domain.words import counted

NOTHING = "0" * 40
VERBS = {"open": "opened", "close": "closed", "reopen": "reopened", "merge": "merged", "update": "updated"}
STATES = {"success": "passed", "failed": "failed", "canceled": "was cancelled", "skipped": "was skipped"}


def card_of(event: Event) -> Card | None:
    """Return the card of one of GitLab's events, `None` for those that are told as well by their fields."""
    tell = _TELLERS.get(event.type.partition(".")[2])
    return tell(event, Part(event.data)) if tell and isinstance(event.data, dict) else None


def _push(event: Event, said: Part) -> Card:
    who, ref = said.text("user_name") or said.text("user_username") or "Somebody", said.text("ref")
    kind = "tag" if ref.startswith("refs/tags/") else "branch"
    name = ref.removeprefix("refs/tags/").removeprefix("refs/heads/")
    commits, before, after = said.each("commits"), said.text("before"), said.text("after")
    total = said.number("total_commits_count") or len(commits)
    if after == NOTHING:
        title = f"{who} deleted the {kind} {name}"
    elif before == NOTHING and not commits:
        title = f"{who} pushed the {kind} {name}"
    else:
        title = f"{who} pushed {counted(total, 'commit')} to {name}"
    lines = (commit_line(commit.text("id"), commit.text("message")) for commit in reversed(commits))
    return Card(title, _project(event, said), listed(lines, total if commits else 0), link=_compared(said))


def _merge_request(event: Event, said: Part) -> Card:
    request = said.at("object_attributes")
    action = request.text("action")
    return Card(
        title=_numbered("Merge request", "!", request, VERBS.get(action) or spaced(action)),
        subtitle=_project(event, said, _who(said)),
        text=request.text("description") if action == "open" else "",
        rows=rows(
            ("Branch", _arrow(request.text("source_branch"), request.text("target_branch"))),
            ("Reviewers", said.names("reviewers", by="name")),
            ("Assignees", said.names("assignees", by="name")),
            ("Labels", said.names("labels", by="title")),
            ("Draft", "yes" if request.is_true("draft") else ""),
        ),
        tone=tone_of(action, good=("merge", "approved"), warning=("close", "unapproved")),
        link=request.link("url"),
        thread=thread_of(event),
    )


def _issue(event: Event, said: Part) -> Card:
    issue = said.at("object_attributes")
    action = issue.text("action")
    return Card(
        title=_numbered(issue.text("type") or "Issue", "#", issue, VERBS.get(action) or spaced(action)),
        subtitle=_project(event, said, _who(said)),
        text=issue.text("description") if action == "open" else "",
        rows=rows(
            ("Assignees", said.names("assignees", by="name")),
            ("Labels", said.names("labels", by="title")),
            ("Due", issue.text("due_date")),
        ),
        tone=tone_of(action, good=("close",)),
        link=issue.link("url"),
        thread=thread_of(event),
    )


def _pipeline(event: Event, said: Part) -> Card:
    run = said.at("object_attributes")
    state, seconds = run.text("status"), run.number("duration")
    failed = [job.text("name") for job in said.each("builds") if job.text("status") == "failed"]
    number = run.said("iid") or run.said("id")
    return Card(
        title=phrase("Pipeline", number and f"#{number}", STATES.get(state) or spaced(state)),
        subtitle=_project(event, said, _who(said)),
        rows=rows(
            ("Branch", run.text("ref")),
            ("Commit", commit_line(run.text("sha"), said.text("commit", "title") or said.text("commit", "message"))),
            ("Failed jobs", listed(failed).replace("\n", ", ")),
            ("Took", "" if seconds is None else _minutes(seconds)),
            ("Started by", spaced(run.text("source"))),
        ),
        tone=tone_of(state, good=("success",), warning=("canceled",), bad=("failed",)),
        link=run.link("url") or _under(said, "pipelines", run.said("id")),
        thread=thread_of(event, f"{event.subject or ''}/pipeline/{run.said('id')}"),
    )


def _note(event: Event, said: Part) -> Card:
    kind = said.text("object_attributes", "noteable_type")
    noun, mark, thing = {
        "MergeRequest": ("merge request", "!", said.at("merge_request")),
        "Issue": ("issue", "#", said.at("issue")),
    }.get(kind, (spaced(kind).lower() or "something", "", said.at("commit")))
    return Card(
        title=_numbered(f"Comment on {noun}", mark, thing, ""),
        subtitle=_project(event, said, _who(said)),
        text=said.text("object_attributes", "note"),
        link=said.link("object_attributes", "url"),
        thread=thread_of(event, f"{event.subject or ''}{mark}{thing.said('iid')}" if mark else None),
    )


def _release(event: Event, said: Part) -> Card:
    verb = {"create": "published", "update": "updated", "delete": "deleted"}.get(said.text("action"), "changed")
    tag, name = said.text("tag"), said.text("name")
    return Card(
        title=titled(phrase("Release", tag, verb), name if name != tag else ""),
        subtitle=_project(event, said),
        text=said.text("description") if verb == "published" else "",
        tone=Tone.GOOD if verb == "published" else Tone.NEUTRAL,
        link=said.link("url"),
    )


def _who(said: Part) -> str:
    return said.text("user", "name") or said.text("user", "username")


def _project(event: Event, said: Part, who: str = "") -> str:
    return dotted(said.text("project", "path_with_namespace") or event.source, by(who))


def _numbered(noun: str, mark: str, thing: Part, word: str) -> str:
    number = thing.said("iid")
    head = phrase(noun, number and f"{mark}{number}", word)
    return titled(head, first_line(thing.text("title")))


def _arrow(head: str, base: str) -> str:
    return f"{head} → {base}" if head and base else head or base


def _minutes(seconds: int) -> str:
    return f"{seconds // 60} min {seconds % 60} s" if seconds >= 60 else f"{seconds} s"


def _compared(said: Part) -> str | None:
    before, after = said.plain("before"), said.plain("after")
    if not before or not after or NOTHING in (before, after):
        return said.link("project", "web_url")
    return _under(said, "compare", f"{before}...{after}")


def _under(said: Part, room: str, name: str) -> str | None:
    return Part(f"{said.text('project', 'web_url')}/-/{room}/{name}").link() if name else None


_TELLERS: Mapping[str, Callable[[Event, Part], Card]] = {
    "push": _push,
    "tag_push": _push,
    "merge_request": _merge_request,
    "issue": _issue,
    "work_item": _issue,
    "pipeline": _pipeline,
    "note": _note,
    "release": _release,
}
