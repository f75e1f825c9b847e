"""Alertmanager."""

from typing import ClassVar

from relay.domain.alerts import AlertsProvider
from relay.domain.inbound import Provider


class Alertmanager(AlertsProvider):
    """The webhook receiver of Prometheus Alertmanager.

    `secret` is the bearer token (`http_config.authorization`) or, with `username`, the password
    (`http_config.basic_auth`). The event type is `alert.firing` or `alert.resolved`; the subject is the group, the same
    for both. One request is one event, with its alerts in `data.alerts`; a notification that Alertmanager only repeats
    is told by its group, its state and the times its alerts began.
    """

    kind: ClassVar[str] = "alertmanager"


PROVIDER: type[Provider] = Alertmanager
