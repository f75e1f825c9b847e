"""PagerDuty, through the Events API v2."""

import hashlib
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, get_args

import orjson
import requests
from pydantic import AfterValidator, SecretStr

from relay.domain.card import Row, Tone
from relay.domain.chat import ChatTarget
from relay.domain.durations import Rate
from relay.domain.event import Event
from relay.domain.judgement import judge_status
from relay.domain.layout import Room, in_words, label, links, notes, paragraph, roomiest, value
from relay.domain.replies import document, member, safe_words
from relay.domain.retry import Schedule
from relay.domain.target import Concurrency, Message, Outcome, TargetOptions
from relay.domain.templates import Template, TemplateFailed, TemplateText
from relay.domain.text import clean, fitted_line
from relay.domain.url import HttpUrl
from relay.secrets import SecretText

DEDUP_KEY, SUMMARY, PART = 255, 1_024, 255
"""Characters of the key that tells incidents apart, of the summary, and of a component or class."""

EVENT_BYTES = 400_000
"""Largest event: PagerDuty takes 512 KB."""

PER_SECOND = 2.0
"""Events a second: PagerDuty throttles an integration that sends more than some 120 a minute for long."""

# Nobody else may be watching: an alert is tried for a day.
BACKOFF = {"first": "1s", "factor": 2, "max": "5m", "attempts": 290}

ROOMS = (Room(200, 2_000, 8_000), Room(200, 300, 4_000))

LABEL = 100
ROUTING_KEY = 32

Action = Literal["trigger", "acknowledge", "resolve"]
Severity = Literal["critical", "error", "warning", "info"]

SEVERITIES: dict[Tone, Severity] = {
    Tone.BAD: "critical", Tone.WARNING: "warning", Tone.GOOD: "info", Tone.NEUTRAL: "info",
}  # fmt: skip


def _is_key(secret: SecretStr) -> SecretStr:
    key = secret.get_secret_value()
    if len(key) != ROUTING_KEY or not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError("a routing key is the 32 characters of an Events API v2 integration")
    return secret


def _one_of(words: tuple[str, ...]) -> AfterValidator:
    def check(template: str) -> str:
        if "{" not in template and template not in words:
            raise ValueError(f"one of {', '.join(words)}, or a template that prints one")
        return template

    return AfterValidator(check)


class PagerDutyOptions(TargetOptions):
    """Fields of a `pagerduty` target.

    `routing_key` is that of an integration "Events API v2". `action` and `severity` are a word each, or templates that
    print one. `url` is another endpoint, such as the EU's `https://events.eu.pagerduty.com/v2/enqueue`.
    """

    routing_key: Annotated[SecretText, AfterValidator(_is_key)]
    action: Annotated[TemplateText, _one_of(get_args(Action))] | None = None
    severity: Annotated[TemplateText, _one_of(get_args(Severity))] | None = None
    url: HttpUrl = SecretStr("https://events.pagerduty.com/v2/enqueue")
    rate: Rate | None = PER_SECOND
    concurrency: Concurrency = 1
    retry: Schedule = Schedule.model_validate(BACKOFF)


class PagerDutyTarget(ChatTarget):
    """Triggers, acknowledges and resolves incidents in PagerDuty.

    News that is good and belongs to a thread, such as an alert that is resolved, resolves the incident of that thread;
    anything else triggers one. `action` says otherwise: `acknowledge`, or a template such as
    `{{ "resolve" if data.status == "ok" else "trigger" }}`. Events with the same thread, or else the same subject, are
    one incident; those with neither are one each. The severity is that of the news (`critical` for bad, `warning`, else
    `info`), or what `severity` says. A route's `text` becomes the summary; the card's rows are the details.

    What is too long is cut and says how much is missing. Each integration is paced at 2 a second. 429 and 5xx are tried
    again for a day; other errors are final.
    """

    kind: ClassVar[str] = "pagerduty"
    Options: ClassVar[type[TargetOptions]] = PagerDutyOptions

    def __init__(self, options: PagerDutyOptions) -> None:
        self._key = options.routing_key.get_secret_value()
        digest = hashlib.sha256(self._key.encode()).hexdigest()[:16]
        super().__init__(options.url.get_secret_value(), digest, (self._key,))
        self._action = Template(options.action) if options.action else None
        self._severity = Template(options.severity) if options.severity else None

    @staticmethod
    def escape(value: str) -> str:
        """Return a value without what cannot be seen: PagerDuty shows plain text."""
        return clean(value)

    def render(self, message: Message) -> requests.Request:
        """Return the request that sends the event."""
        good = message.card.tone is Tone.GOOD and message.thread is not None
        action = _printed(self._action, message.event, get_args(Action)) or ("resolve" if good else "trigger")
        body: dict[str, Any] = {"routing_key": self._key, "event_action": action, "dedup_key": _dedup_key(message)}
        if action == "trigger":
            said = _printed(self._severity, message.event, get_args(Severity))
            severity = said or SEVERITIES[message.card.tone]
            incident = roomiest(ROOMS, lambda room: _incident(message, severity, room), _fits)
            body |= incident
        return self._post(body)

    def judge(self, response: requests.Response, now: datetime) -> Outcome:
        """Return what the status says, with PagerDuty's words."""
        said = document(response)
        errors = member(said, "errors")
        words = [member(said, "message"), *(errors if isinstance(errors, list) else ())]
        told = ": ".join(text for text in words if isinstance(text, str))
        return judge_status(response, now, safe_words(told, self._secrets))


def _printed(template: Template | None, event: Event, words: tuple[str, ...]) -> str | None:
    """Return the word that a template prints, `None` where it fails or prints another."""
    if template is None:
        return None
    try:
        word = template.render(event, str).strip()
    except TemplateFailed:
        return None
    return word if word in words else None


def _dedup_key(message: Message) -> str:
    """Return what tells the incident from others; without thread and subject a retry must still find its own."""
    key = next(
        (key for text in (message.thread, message.event.subject) if (key := clean(text or "").strip())), message.id
    )
    return key if len(key) <= DEDUP_KEY else hashlib.sha256(key.encode()).hexdigest()


def _incident(message: Message, severity: str, room: Room) -> dict[str, Any]:
    card, event = message.card, message.event
    rows = card.rows[: room.rows]
    details: dict[str, str] = {}
    for number, row in enumerate(rows, 1):
        name = label(row.label, LABEL)
        details[f"{name} ({number})" if name in details else name] = _value(row, room.value)
    parts = {"component": fitted_line(event.subject or "", PART), "class": fitted_line(event.type, PART)}
    told = {
        "Text": paragraph(card.text, room.text),
        "Notes": paragraph("\n".join(notes(message, len(rows))), room.text),
    }
    payload = {
        "summary": label(clean(message.text or "").strip() or in_words(card), SUMMARY),
        "source": label(event.source, PART),
        "severity": severity,
        "timestamp": event.occurred_at.isoformat(),
        **{name: part for name, part in parts.items() if part},
        "custom_details": {name: text for name, text in told.items() if text} | details,
    }
    ways = [{"href": url, "text": words} for words, url in links(message)]
    return {"payload": payload, "client": "Relay", **({"links": ways} if ways else {})}


def _value(row: Row, limit: int) -> str:
    text = value(row.value, limit)
    return text if row.old is None else f"{value(row.old, limit)} → {text}"


def _fits(incident: dict[str, Any]) -> bool:
    return len(orjson.dumps(incident)) <= EVENT_BYTES


TARGET = PagerDutyTarget
