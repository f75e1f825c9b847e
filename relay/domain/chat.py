"""What targets that people read have in common, whichever service carries the words."""

from collections.abc import Iterable
from typing import Any, ClassVar

import orjson
import requests

from relay.domain.replies import keys_in
from relay.domain.retry import PATIENT, Schedule
from relay.domain.target import Concurrency, WordsOptions
from relay.domain.url import HttpUrl, fingerprint


class ChatOptions(WordsOptions):
    """Fields of every such kind. One request at a time keeps messages in their order."""

    concurrency: Concurrency = 1
    retry: Schedule = PATIENT


class WebhookOptions(ChatOptions):
    """Fields of a kind that is reached through a webhook: `url` is its address, and its key."""

    url: HttpUrl


class ChatTarget:
    """Posts JSON to one address. `quota` is what requests are paced by; `secrets` is what no reply may show."""

    kind: ClassVar[str]
    words: ClassVar[bool] = True

    def __init__(self, url: str, quota: str, secrets: Iterable[str]) -> None:
        self._url = url
        self._pace = f"{self.kind}:{quota}"
        self._secrets = tuple(secrets)

    @property
    def pace(self) -> str:
        """The key of the quota, free of secrets."""
        return self._pace

    def _post(self, body: dict[str, Any], **params: str) -> requests.Request:
        return requests.Request(
            "POST",
            self._url,
            params=params,
            headers={"content-type": "application/json; charset=UTF-8"},
            data=orjson.dumps(body),
        )


class WebhookTarget(ChatTarget):
    """A chat behind a webhook: each webhook has a quota of its own."""

    def __init__(self, options: WebhookOptions) -> None:
        url = options.url.get_secret_value()
        super().__init__(url, fingerprint(url), keys_in(url))
