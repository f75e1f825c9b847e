"""Requests that need more than their bytes to be sent. A kind that needs no more returns a `requests.Request`."""

from dataclasses import dataclass, field
from typing import Any

import requests

from relay.domain.grants import Grant
from relay.domain.tls import Tls


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who sends a mail and who gets it, as bare addresses, and how its server is spoken to.

    With `starttls` the connection must become encrypted before anything is said. An empty `user` does not log in.
    """

    sender: str
    recipients: tuple[str, ...]
    starttls: bool
    user: str = ""
    password: str = field(default="", repr=False)
    tls: Tls | None = None


Means = Tls | Envelope
"""What a request is sent with, where that is not the usual."""


class Errand(requests.Request):
    """A request with an access token that has to be fetched first (`grant`), or with `means` of its own."""

    def __init__(self, *arguments: Any, grant: Grant | None = None, means: Means | None = None, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.grant = grant
        self.means = means


class Mail(Errand):
    """A mail: `server` is `smtp://host:port` or, with TLS from the start, `smtps://`; `content` its headers and body.

    It is answered with a response whose status is the server's last reply code and whose body holds the replies in
    lines: `<recipient> reply` for each recipient, then the last one.
    """

    def __init__(self, server: str, envelope: Envelope, content: bytes) -> None:
        super().__init__("MAIL", server, data=content, means=envelope)


class Notice(requests.Request):
    """A notification that the library apprise sends: `address` is its URL, `mood` one of its types of notification.

    It is answered with an empty response of status 200, or with a failure.
    """

    def __init__(self, address: str, title: str, body: str, mood: str) -> None:
        # The address is a secret: nobody sees more of it than the service's name.
        content = f"{title}\n\n{body}".encode(errors="replace")
        super().__init__("NOTIFY", f"apprise:{address.partition(':')[0]}", data=content)
        self.address = address
        self.title = title
        self.text = body
        self.mood = mood
