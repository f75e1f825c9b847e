"""What is worth reading of GitHub's events (GitHub docs, "Webhook events and payloads")."""

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

BRANCHES = "refs/heads/"
TAGS = "refs/tags/"
FAILED = ("failure", "timed_out", "startup_failure", "error")
HALTED = ("cancelled", "action_required", "stale")
OUTCOMES = {"success": "succeeded", "failure": "failed", "timed_out": "timed out", "startup_failure": "did not start"}
WITH_TEXT = ("opened", "created", "edited", "published", "submitted")


def card_of(event: Event) -> Card | None:
    """Return the card of one of GitHub's events, `None` for those that are told as well by their fields."""
    tell = _TELLERS.get(event.type.partition(".")[2])
    return tell(event, Part(event.data)) if tell and isinstance(event.data, dict) else None


def _push(event: Event, said: Part) -> Card:
    who, ref = said.text("pusher", "name") or _sender(said) or "Somebody", said.text("ref")
    kind, name = ("tag", ref.removeprefix(TAGS)) if ref.startswith(TAGS) else ("branch", ref.removeprefix(BRANCHES))
    commits = said.each("commits")
    if said.is_true("deleted"):
        title = f"{who} deleted the {kind} {name}"
    elif said.is_true("forced"):
        title = f"{who} force-pushed {counted(len(commits), 'commit')} to {name}"
    elif not commits:
        title = f"{who} pushed the {kind} {name}"
    else:
        title = f"{who} pushed {counted(len(commits), 'commit')} to {name}"
    return Card(
        title=title,
        subtitle=_repository(event, said),
        text=listed(commit_line(commit.text("id"), commit.text("message")) for commit in commits),
        tone=Tone.WARNING if said.is_true("forced") else Tone.NEUTRAL,
        link=said.link("compare") or said.link("repository", "html_url"),
    )


def _pull_request(event: Event, said: Part) -> Card:
    request, action = said.at("pull_request"), said.text("action")
    merged = action == "closed" and request.is_true("merged")
    word = "merged" if merged else "new commits" if action == "synchronize" else spaced(action)
    return Card(
        title=_numbered("Pull request", request, word),
        subtitle=_repository(event, said, _sender(said)),
        text=request.text("body") if action == "opened" else "",
        rows=rows(
            ("Branch", _arrow(request.text("head", "ref"), request.text("base", "ref"))),
            ("Changes", _changes(request)),
            ("Reviewer", said.text("requested_reviewer", "login") or said.text("requested_team", "name")),
            ("Assignee", said.text("assignee", "login")),
            ("Label", said.text("label", "name")),
            ("Draft", "yes" if request.is_true("draft") else ""),
        ),
        tone=Tone.GOOD if merged else Tone.WARNING if action == "closed" else Tone.NEUTRAL,
        link=request.link("html_url"),
        thread=thread_of(event),
    )


def _review(event: Event, said: Part) -> Card:
    state = said.text("review", "state").lower()
    word = {"approved": "approved", "changes_requested": "changes requested"}.get(state, f"review {state or 'changed'}")
    return Card(
        title=_numbered("Pull request", said.at("pull_request"), word),
        subtitle=_repository(event, said, said.text("review", "user", "login")),
        text=said.text("review", "body"),
        tone=tone_of(state, good=("approved",), warning=("changes_requested",)),
        link=said.link("review", "html_url"),
        thread=thread_of(event),
    )


def _issue(event: Event, said: Part) -> Card:
    issue, action = said.at("issue"), said.text("action")
    return Card(
        title=_numbered("Issue", issue, spaced(action)),
        subtitle=_repository(event, said, _sender(said)),
        text=issue.text("body") if action == "opened" else "",
        rows=rows(
            ("Assignee", said.text("assignee", "login")),
            ("Label", said.text("label", "name")),
            ("Labels", issue.names("labels", by="name") if action == "opened" else ""),
        ),
        tone=Tone.GOOD if action == "closed" else Tone.NEUTRAL,
        link=issue.link("html_url"),
        thread=thread_of(event),
    )


def _comment(event: Event, said: Part) -> Card:
    issue, action = said.at("issue"), said.text("action")
    noun = "pull request" if isinstance(issue.at("pull_request").value, dict) else "issue"
    head = "Comment on" if action == "created" else f"Comment {spaced(action)} on"
    return Card(
        title=_numbered(f"{head} {noun}", issue, ""),
        subtitle=_repository(event, said, said.text("comment", "user", "login") or _sender(said)),
        text=said.text("comment", "body") if action in WITH_TEXT else "",
        link=said.link("comment", "html_url"),
        thread=thread_of(event),
    )


def _workflow_run(event: Event, said: Part) -> Card:
    run = said.at("workflow_run")
    outcome = run.text("conclusion")
    state = OUTCOMES.get(outcome) or spaced(outcome) or spaced(run.text("status")) or spaced(said.text("action"))
    name, attempt = run.text("name") or said.text("workflow", "name"), run.number("run_attempt") or 1
    return Card(
        title=phrase("Workflow", name, state),
        subtitle=_repository(event, said, run.text("actor", "login")),
        rows=rows(
            ("Branch", run.text("head_branch")),
            ("Commit", commit_line(run.text("head_sha"), run.text("head_commit", "message"))),
            ("Started by", spaced(run.text("event"))),
            ("Attempt", str(attempt) if attempt > 1 else ""),
        ),
        tone=tone_of(outcome, good=("success",), warning=HALTED, bad=FAILED),
        link=run.link("html_url"),
        thread=thread_of(event, f"{event.subject or ''}/run/{run.said('id')}"),
    )


def _release(event: Event, said: Part) -> Card:
    release, action = said.at("release"), said.text("action")
    tag, name = release.text("tag_name"), release.text("name")
    return Card(
        title=titled(phrase("Release", tag, spaced(action)), name if name != tag else ""),
        subtitle=_repository(event, said, release.text("author", "login")),
        text=release.text("body") if action in WITH_TEXT else "",
        rows=rows(("Pre-release", "yes" if release.is_true("prerelease") else "")),
        tone=Tone.GOOD if action in ("published", "released") else Tone.NEUTRAL,
        link=release.link("html_url"),
    )


def _deployment(event: Event, said: Part) -> Card:
    status = said.at("deployment_status")
    state = status.text("state")
    word = {"success": "succeeded", "failure": "failed", "error": "failed"}.get(state) or spaced(state) or "changed"
    return Card(
        title=f"Deployment to {status.text('environment') or 'an environment'} {word}",
        subtitle=_repository(event, said, said.text("deployment", "creator", "login")),
        text=status.text("description"),
        rows=rows(("Ref", said.text("deployment", "ref")), ("Commit", said.text("deployment", "sha")[:8])),
        tone=tone_of(state, good=("success",), bad=FAILED),
        link=status.link("environment_url") or status.link("log_url") or status.link("target_url"),
        thread=thread_of(event, f"{event.subject or ''}/deployment/{said.said('deployment', 'id')}"),
    )


def _made(event: Event, said: Part) -> Card:
    verb = "created" if event.type.endswith(".create") else "deleted"
    thing = f"{said.text('ref_type') or 'branch'} {said.text('ref')}".rstrip()
    return Card(
        title=f"{_sender(said) or 'Somebody'} {verb} the {thing}",
        subtitle=_repository(event, said),
        link=said.link("repository", "html_url"),
    )


def _ping(event: Event, said: Part) -> Card:
    about = said.text("repository", "full_name") or said.text("organization", "login")
    return Card(
        title=f"GitHub is connected: {about}" if about else "GitHub is connected",
        subtitle=event.source,
        text=said.text("zen"),
        rows=rows(("Events", ", ".join(name.text() for name in said.each("hook", "events")))),
        tone=Tone.GOOD,
        link=said.link("repository", "html_url"),
    )


def _sender(said: Part) -> str:
    return said.text("sender", "login")


def _repository(event: Event, said: Part, who: str = "") -> str:
    return dotted(said.text("repository", "full_name") or event.source, by(who))


def _numbered(noun: str, thing: Part, word: str) -> str:
    number = thing.number("number")
    head = phrase(noun, f"#{number}" if number is not None else "", word)
    return titled(head, first_line(thing.text("title")))


def _arrow(head: str, base: str) -> str:
    return f"{head} → {base}" if head and base else head or base


def _changes(request: Part) -> str:
    added, removed, files = (request.number(name) for name in ("additions", "deletions", "changed_files"))
    if added is None or removed is None or files is None:
        return ""
    return f"+{added:,} −{removed:,} in {counted(files, 'file')}"


_TELLERS: Mapping[str, Callable[[Event, Part], Card]] = {
    "push": _push,
    "pull_request": _pull_request,
    "pull_request_review": _review,
    "issues": _issue,
    "issue_comment": _comment,
    "workflow_run": _workflow_run,
    "release": _release,
    "deployment_status": _deployment,
    "create": _made,
    "delete": _made,
    "ping": _ping,
}
