"""Any HTTP endpoint."""

from datetime import datetime
from typing import ClassVar

import requests

from relay.domain.cloudevents import binary_headers, payload_of, sendable, structured
from relay.domain.errand import Errand
from relay.domain.event import CLOUDEVENT, Event
from relay.domain.grants import ClientCredentials
from relay.domain.judgement import judge_status
from relay.domain.target import Message, Outcome, TargetOptions
from relay.domain.tls import tls_of
from relay.domain.trace import HEADER as TRACE
from relay.signing import StandardWebhooks, standard_signer
from relay.targets.http.filling import FilledBody, FilledHeader
from relay.targets.http.options import HttpOptions, is_template

__all__ = ["TARGET", "HttpOptions", "HttpTarget"]


class HttpTarget:
    """Sends each event to any HTTP endpoint.

    Every request carries `webhook-id` (the same for every retry and replay, so that the receiver can tell a repeat),
    `webhook-timestamp` and, with a `secret`, `webhook-signature`, as Standard Webhooks describes them: `v1` for a
    `whsec_` secret, `v1a` for an ed25519 key, `whsk_`. Of several secrets each signs. One that is replaced goes on
    signing beside the new one for 24 hours. An event of a trace (W3C Trace Context) brings its `traceparent` along.

    `format` says what the body is: `cloudevents`, one CloudEvents 1.0 JSON document; `binary`, the event's own bytes
    with `ce-` headers; `raw`, the bytes and the content type that arrived, and nothing else. `body` is a template that
    makes another one, of the type `content_type`; values are escaped for JSON, XML, HTML and forms. Values of `headers`
    may be templates too. A GET has no body.

    `basic`, `bearer` or `oauth2` say who asks: a name and password, a token, or OAuth 2.0 client credentials, whose
    token is fetched, kept until shortly before it ends, and fetched anew after a 401. `client_cert` and `client_key`
    are shown over TLS; `ca` is the one authority that the receiver's certificate may come from.

    2xx is success. 408, 425, 429, 5xx and network errors are tried again, not before a `Retry-After`; so is what a
    token or a template is missing for. 410 pauses the target. Redirects and other client errors are final.
    """

    kind: ClassVar[str] = "http"
    Options: ClassVar[type[TargetOptions]] = HttpOptions
    words: ClassVar[bool] = False

    def __init__(self, options: HttpOptions) -> None:
        self._options = options
        self._url = options.url.get_secret_value()
        values = {name: value.get_secret_value() for name, value in options.headers.items()}
        self._headers = {name: value for name, value in values.items() if not is_template(value)} | _shown(options)
        self._filled = {name: FilledHeader(value) for name, value in values.items() if is_template(value)}
        self._body = FilledBody(options.body, options.content_type) if options.body is not None else None
        self._signers = tuple(standard_signer(secret.get_secret_value()) for secret in options.secret or ())
        self._grant = ClientCredentials(options.oauth2) if options.oauth2 else None
        self._tls = tls_of(options.client_cert, options.client_key, options.ca)

    @property
    def pace(self) -> str:
        """The target itself: endpoints share no quota that the relay could know of."""
        return f"{self.kind}:{self._options.name}"

    @staticmethod
    def escape(value: str) -> str:
        """Return `value` as it is: an endpoint receives data, not markup."""
        return value

    def render(self, message: Message) -> requests.Request:
        """Return the event in the chosen form, to be signed once it stands. Raises `TemplateFailed`."""
        body, headers = self._content(message.event)
        headers = self._headers | headers
        if self._filled:
            headers |= {name: header.fill(message.event) for name, header in self._filled.items()}
        if message.event.traceparent is not None:
            headers.setdefault(TRACE, message.event.traceparent)
        signers = self._signers
        if message.former:
            signers += tuple(map(standard_signer, message.former))
        auth = StandardWebhooks(message.id, int(message.sent_at.timestamp()), signers)
        if self._grant is None and self._tls is None:
            return requests.Request(self._options.method, self._url, headers=headers, data=body, auth=auth)
        method, grant, means = self._options.method, self._grant, self._tls
        return Errand(method, self._url, headers=headers, data=body, auth=auth, grant=grant, means=means)

    def judge(self, response: requests.Response, now: datetime) -> Outcome:
        """Return what the status says."""
        return judge_status(response, now)

    def _content(self, event: Event) -> tuple[bytes, dict[str, str]]:
        if self._options.method == "GET":
            return b"", self._without_body(event)
        if self._body is not None:
            return self._body.fill(event), {"content-type": self._options.content_type}
        if self._options.format == "cloudevents":
            return structured(event), {"content-type": CLOUDEVENT}
        if self._options.format == "binary":
            payload = payload_of(event)
            return payload.body, binary_headers(event, payload)
        return event.body, {"content-type": sendable(event.content_type)}

    def _without_body(self, event: Event) -> dict[str, str]:
        """Return the headers that go without a body: who the event is, in binary mode."""
        if self._options.format != "binary":
            return {}
        headers = binary_headers(event, payload_of(event))
        del headers["content-type"]
        return headers


def _shown(options: HttpOptions) -> dict[str, str]:
    """Return the header that says who asks, where that is known beforehand."""
    if options.basic is not None:
        return {"authorization": f"Basic {options.basic.credentials}"}
    if options.bearer is not None:
        return {"authorization": f"Bearer {options.bearer.get_secret_value()}"}
    return {}


TARGET = HttpTarget
