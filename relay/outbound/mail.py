"""A mail and its replies on one easy handle: libcurl speaks SMTP too, through the same guard and deadline."""

import io
import re
from collections.abc import Iterable
from typing import Any

import pycurl
import requests

from relay.domain.errand import Envelope
from relay.outbound import failures
from relay.outbound.exchange import Exchange, Limits, place
from relay.outbound.failures import Failure
from relay.outbound.guard import Guard
from relay.outbound.response import CurlResponse

# CURLOPT_MAIL_RCPT_ALLOWFAILS, which pycurl has no name for: one recipient that is refused does not cost the others.
_ALLOW_REFUSED = 290

_REFUSALS = frozenset({pycurl.E_FTP_WEIRD_SERVER_REPLY, pycurl.E_REMOTE_ACCESS_DENIED, pycurl.E_LOGIN_DENIED})
_REFUSED = re.compile(r"\b(?:RCPT|MAIL|DATA|Command) failed: \d{3}")
_REPLY = re.compile(r"\d{3}(?: |$)")
_GO_AHEAD = "354"


class MailExchange(Exchange):
    """Sends one mail. What the server says of it is a response, also when it refuses."""

    def __init__(self, guard: Guard, limits: Limits, envelope: Envelope) -> None:
        super().__init__(guard, limits, envelope.tls)
        self.usual = False
        self._envelope = envelope
        self._recipients_refused = False
        curl = self.curl
        curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_SMTP | pycurl.PROTO_SMTPS)
        curl.setopt(pycurl.USE_SSL, pycurl.USESSL_ALL if envelope.starttls else pycurl.USESSL_NONE)
        curl.setopt(pycurl.MAIL_FROM, envelope.sender)
        curl.setopt(pycurl.MAIL_RCPT, list(envelope.recipients))
        curl.setopt(_ALLOW_REFUSED, 1)
        if envelope.user:
            curl.setopt(pycurl.USERNAME, envelope.user.encode())
            curl.setopt(pycurl.PASSWORD, envelope.password.encode())

    def load(self, key: Any, request: requests.PreparedRequest, timeout: float) -> Failure | None:
        """Make the handle ready to send this mail, within `timeout` seconds; return why it cannot be sent."""
        self._begin(key, request, timeout)
        url, body = request.url or "", request.body
        scheme, self._host = place(url)
        if scheme not in ("smtp", "smtps") or not isinstance(body, bytes):
            return failures.malformed("only mail can be sent so")
        self.curl.setopt(pycurl.URL, url)
        self.curl.setopt(pycurl.UPLOAD, 1)
        self.curl.setopt(pycurl.READFUNCTION, io.BytesIO(body).read)
        self.curl.setopt(pycurl.INFILESIZE, len(body))
        return None

    def is_answered(self, code: int, message: str) -> bool:
        """Say whether it failed because the server refused the mail, in a reply of its own."""
        refused = code in _REFUSALS or (code == pycurl.E_SEND_ERROR and _REFUSED.search(message) is not None)
        self._recipients_refused = refused and "RCPT failed" in message
        return refused and self.curl.getinfo(pycurl.RESPONSE_CODE) >= requests.codes.bad_request

    def response(self) -> tuple[float, CurlResponse]:
        """Return the milliseconds it took and what the server said: to each recipient, and last."""
        seconds = self.curl.getinfo(pycurl.TOTAL_TIME)
        status = self.curl.getinfo(pycurl.RESPONSE_CODE)
        content = "\n".join(self._told()).encode()
        return seconds * 1000, CurlResponse(self._request, status, (), content, seconds)

    def _told(self) -> Iterable[str]:
        lines = [line.decode(errors="replace").strip() for line in self._head]
        replies = [line for line in lines if _REPLY.match(line)]
        end = len(replies) if self._recipients_refused else _place_of_data(replies)
        recipients = self._envelope.recipients
        if end >= len(recipients):
            told = replies[end - len(recipients) : end]
            yield from (f"<{address}> {reply}" for address, reply in zip(recipients, told, strict=True))
        yield from replies[-1:]


def _place_of_data(replies: list[str]) -> int:
    """Return how many replies came before the mail itself was asked for; 0 if it was not."""
    return next((place for place, reply in enumerate(replies) if reply.startswith(_GO_AHEAD)), 0)
