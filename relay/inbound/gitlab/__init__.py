"""GitLab."""

from datetime import datetime
from typing import Any, ClassVar

from relay.domain.card import Card
from relay.domain.event import Event
from relay.domain.inbound import IDEMPOTENCY_KEY, Inbound, Provider, Reading, SourceOptions, first_text, member
from relay.domain.standard import PREFIX, StandardOptions, require_signed
from relay.errors import Unreadable
from relay.inbound.gitlab.news import card_of
from relay.signing import require, standard_verifier

SHOWN = "x-gitlab-token"
EVENT = "x-gitlab-event"
SIGNATURE = "webhook-signature"
SIGNED_ID = "webhook-id"
MARKS = {"merge_request": "!", "issue": "#", "work_item": "#"}


class GitLabOptions(StandardOptions):
    """Fields of a `gitlab` source: every secret is a signing token, `whsec_...`, or a secret token."""

    @classmethod
    def check_secret(cls, secret: str) -> None:
        """Return if the secret can verify anything. Raises `ValueError`."""
        if secret.startswith(PREFIX):
            super().check_secret(secret)


class GitLab(Provider):
    """Webhooks of GitLab: projects, groups and the whole instance.

    `secret` is the webhook's signing token, `whsec_...`, with which GitLab signs body and time; or its secret token,
    which is sent as it is and proves who sends, not that the body is unchanged. The event type is `gitlab.` and the
    body's `object_kind`, such as `gitlab.push`, `gitlab.merge_request` or `gitlab.pipeline`. The subject is
    `group/project`, with `!12` for a merge request and `#12` for an issue.
    """

    kind: ClassVar[str] = "gitlab"
    Options: ClassVar[type[SourceOptions]] = GitLabOptions

    def __init__(self, options: GitLabOptions) -> None:
        self._signing = [standard_verifier(secret) for secret in options.secrets if secret.startswith(PREFIX)]
        self._tokens = [secret for secret in options.secrets if not secret.startswith(PREFIX)]
        self._tolerance = options.tolerance

    def verify(self, request: Inbound, now: datetime) -> None:
        """Check the signature where there is one to check, else the token."""
        if self._signing and (SIGNATURE in request.headers or not self._tokens):
            require_signed(request, self._signing, now, self._tolerance)
        else:
            require(self._tokens, [request.proof(SHOWN)])

    def read(self, request: Inbound, data: Any) -> Reading:
        """Return the event that the body describes."""
        kind = first_text(data, "object_kind", "event_name")
        name = kind or request.headers.get(EVENT, "").lower().replace(" ", "_")
        if not name:
            raise Unreadable("the body has no object_kind")
        # What is signed goes before what is not: a forger could rename the delivery.
        dedupe = request.headers.get(SIGNED_ID) if self._signing else None
        return Reading(
            type=f"{self.kind}.{name}",
            dedupe=dedupe or request.headers.get(IDEMPOTENCY_KEY) or None,
            subject=_subject(kind, data),
        )

    @staticmethod
    def card(event: Event) -> Card | None:
        """Return what is worth reading of the event."""
        return card_of(event)


def _subject(kind: str | None, data: Any) -> str | None:
    project = member(data, "project", "path_with_namespace")
    if not isinstance(project, str) or not project:
        return None
    number = member(data, "object_attributes", "iid")
    mark = MARKS.get(kind or "")
    return f"{project}{mark}{number}" if mark and isinstance(number, int) else project


PROVIDER: type[Provider] = GitLab
