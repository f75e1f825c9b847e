"""Grafana."""

from typing import ClassVar

from relay.domain.alerts import AlertsProvider
from relay.domain.inbound import Provider


class Grafana(AlertsProvider):
    """The webhook contact point of Grafana's alerting.

    `secret` is the credentials of the authorization header, scheme `Bearer`, or with `username` the password of HTTP
    basic authentication. The event type is `alert.firing` or `alert.resolved`; the subject is the group, the same for
    both. One request is one event, with its alerts in `data.alerts`; a notification that Grafana only repeats is told
    by its group, its state and the times its alerts began.
    """

    kind: ClassVar[str] = "grafana"


PROVIDER: type[Provider] = Grafana
