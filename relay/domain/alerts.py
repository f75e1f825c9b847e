"""Groups of alerts, as Alertmanager sends them and Grafana after it."""

from datetime import datetime
from hashlib import sha256
from typing import Any, ClassVar

from relay.domain.alertnews import card_of
from relay.domain.card import Card
from relay.domain.credentials import CredentialOptions, require_credentials
from relay.domain.event import Event
from relay.domain.inbound import (
    SUBJECT_LENGTH,
    Inbound,
    Provider,
    Reading,
    SourceOptions,
    first_text,
    member,
    moment,
)
from relay.errors import Unreadable

STATES = ("firing", "resolved")
TOLD_APART_BY = ("fingerprint", "status", "startsAt")


class AlertsProvider(Provider):
    """What senders of alerts share; each has a `kind` of its own."""

    Options: ClassVar[type[SourceOptions]] = CredentialOptions

    def __init__(self, options: CredentialOptions) -> None:
        self._options = options

    def verify(self, request: Inbound, now: datetime) -> None:
        """Check the token, or name and password."""
        require_credentials(request, self._options)

    def read(self, request: Inbound, data: Any) -> Reading:
        """Return whether the group of alerts is firing, and which group it is."""
        state, group = first_text(data, "status"), first_text(data, "groupKey")
        alerts = member(data, "alerts")
        if state not in STATES or group is None or not isinstance(alerts, list):
            raise Unreadable("the body is no group of alerts: it needs status, groupKey and alerts")
        starts = [moment(first_text(alert, "startsAt")) for alert in alerts]
        return Reading(
            type=f"alert.{state}",
            dedupe=_identity(group, state, alerts),
            subject=group if len(group) <= SUBJECT_LENGTH and group.isprintable() else _digest(group),
            occurred_at=max((time for time in starts if time), default=None) if state == "firing" else None,
        )

    @staticmethod
    def card(event: Event) -> Card | None:
        """Return what is worth reading of the event."""
        return card_of(event)


def _identity(group: str, state: str, alerts: list[Any]) -> str:
    """Return what tells a notification from others of its group: the alerts in it, and since when they are."""
    each = sorted("\t".join(first_text(alert, name) or "" for name in TOLD_APART_BY) for alert in alerts)
    return _digest("\n".join((group, state, *each)))


def _digest(text: str) -> str:
    return sha256(text.encode(errors="replace")).hexdigest()
