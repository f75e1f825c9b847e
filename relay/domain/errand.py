"""Requests that need more than their bytes to be sent. A kind that needs no more returns a `requests.Request`."""

from typing import Any

import requests

from relay.domain.grants import Grant
from relay.domain.tls import Tls


class Errand(requests.Request):
    """A request with an access token that has to be fetched first (`grant`), or over a TLS of its own (`tls`)."""

    def __init__(self, *arguments: Any, grant: Grant | None = None, tls: Tls | None = None, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.grant = grant
        self.tls = tls
