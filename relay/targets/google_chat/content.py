"""What both ways into a space share: the message, its quota, and what the API's answers mean."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

import orjson
import requests

from relay.domain.judgement import judge_status, retry_after
from relay.domain.layout import Room, roomiest
from relay.domain.markup import ANGLES
from relay.domain.replies import document, member, safe_words
from relay.domain.target import Message, Outcome, Refused, TryLater
from relay.domain.text import clean
from relay.targets.google_chat.card import card_body
from relay.targets.google_chat.limits import MESSAGE_BYTES, TEXT_UNITS

ROOMS = (Room(60, 500, 2_000), Room(40, 200, 1_000), Room(20, 100, 500), Room(8, 60, 200))
"""Sizes of a card, tried in turn until the message fits; a card holds 100 widgets at most."""

PER_SECOND = 1.0
"""Requests a second that a space takes, from all webhooks and apps together (Google Chat docs, "Usage limits")."""

HEADERS = {"content-type": "application/json; charset=UTF-8"}

_NAMESPACE = UUID("8d2f6a4e-52f5-4f0c-9d7b-3f6c1b7a90e1")


def pace_of(space: str) -> str:
    """Return the key of a space's quota."""
    return f"google_chat:{space}"


def sending(message: Message) -> str:
    """Return what is the same for every try of one sending: a retry that lands twice shows once.

    A replay is meant to be seen again, and so is what tells more than before.
    """
    told = f"{message.id} {message.earlier}" + (f" {message.folded}" if message.folded else "")
    return str(uuid5(_NAMESPACE, told))


def body_of(message: Message, extra: dict[str, Any]) -> bytes:
    """Return the message as JSON: as a template laid it out, or its text, else its card; and `extra` fields beside."""
    if message.layout is not None:
        return orjson.dumps({**message.layout, **extra})
    words = clean(message.text or "").strip()
    if words:
        return orjson.dumps({"text": ANGLES.cut(words, TEXT_UNITS), **extra})
    return roomiest(
        ROOMS,
        lambda room: orjson.dumps(card_body(message, room) | extra),
        lambda body: len(body) <= MESSAGE_BYTES,
    )


def judge_reply(response: requests.Response, now: datetime, secrets: Iterable[str] = ()) -> Outcome:
    """Return what the status says, with the API's own words; a 401 may pass, it happens to valid webhooks."""
    error = member(document(response), "error")
    status = member(error, "status")
    outcome = judge_status(response, now, safe_words(member(error, "message"), secrets))
    passing = response.status_code == requests.codes.unauthorized or status == "RESOURCE_EXHAUSTED"
    if isinstance(outcome, Refused) and passing:
        return TryLater(outcome.reason, retry_after(response.headers.get("retry-after"), now))
    return outcome
