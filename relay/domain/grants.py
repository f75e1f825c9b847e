"""Ways to an access token: the request that asks for one, and what the answer says. It opens no socket."""

import re
from abc import ABC, abstractmethod
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import quote_plus, urlencode

import jwt
import orjson
import requests
from pydantic import BaseModel, ConfigDict, Field

from relay.domain.judgement import phrase
from relay.domain.url import HttpUrl
from relay.secrets import SecretText

UNSAID = 300.0
"""Seconds for which a token is taken to be good when its issuer does not say."""

LONGEST = 86_400.0

FORM = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}

_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")
_ERROR = re.compile(r"[a-z_]{1,40}")


@dataclass(frozen=True, slots=True)
class Token:
    """An access token, and the seconds for which it is good."""

    value: str
    seconds: float


class NoToken(ValueError):
    """The answer holds no access token; the message says why and holds no secret."""


class Grant(ABC):
    """One way to a token. Requests whose grants are equal share it."""

    @abstractmethod
    def request(self, now: datetime) -> requests.Request:
        """Return the request that asks for a token."""

    def read(self, response: requests.Response) -> Token:
        """Return the token of an answer (RFC 6749, section 5.1). Raises `NoToken`."""
        fields = _fields(response)
        if response.status_code != requests.codes.ok:
            error = fields.get("error")
            words = f": {error}" if isinstance(error, str) and _ERROR.fullmatch(error) else ""
            raise NoToken(f"the token endpoint answered {phrase(response.status_code)}{words}")
        value, seconds = fields.get("access_token"), fields.get("expires_in", UNSAID)
        if not isinstance(value, str) or not _TOKEN.fullmatch(value):
            raise NoToken("the token endpoint answered without an access token")
        return Token(value, _seconds(seconds))


def _fields(response: requests.Response) -> dict[str, object]:
    try:
        fields = orjson.loads(response.content)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def _seconds(value: object) -> float:
    # Some issuers write the number as text.
    try:
        return min(max(0.0, float(value)), LONGEST) if isinstance(value, int | float | str) else UNSAID
    except ValueError:
        return UNSAID


class OAuth2(BaseModel):
    """OAuth 2.0 client credentials: where tokens are fetched, and who asks.

    `client_auth` says how the client shows itself: in a `basic` header, or in the `body`, for issuers that insist.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    token_url: HttpUrl
    client_id: Annotated[str, Field(min_length=1, max_length=1024)]
    client_secret: SecretText
    scope: str | None = None
    audience: str | None = None
    client_auth: Literal["basic", "body"] = "basic"


@dataclass(frozen=True)
class ClientCredentials(Grant):
    """A token for the relay itself (RFC 6749, section 4.4)."""

    options: OAuth2

    def request(self, now: datetime) -> requests.Request:
        """Return the request, with the client's name and secret as the options say."""
        options, secret = self.options, self.options.client_secret.get_secret_value()
        form = {"grant_type": "client_credentials", "scope": options.scope, "audience": options.audience}
        headers = dict(FORM)
        if options.client_auth == "body":
            form |= {"client_id": options.client_id, "client_secret": secret}
        else:
            # Both are form-encoded first (RFC 6749, section 2.3.1).
            shown = f"{quote_plus(options.client_id)}:{quote_plus(secret)}"
            headers["authorization"] = f"Basic {b64encode(shown.encode()).decode()}"
        body = urlencode({name: value for name, value in form.items() if value is not None})
        return requests.Request("POST", options.token_url.get_secret_value(), headers=headers, data=body)


ASSERTION_SECONDS = 3600
"""For how long an assertion may be used: as long as Google takes one (OAuth 2.0 for service accounts)."""


@dataclass(frozen=True)
class JwtBearer(Grant):
    """A token for whoever holds an RSA key (RFC 7523): `issuer` says who, signed with `key`, which `key_id` names."""

    token_url: str
    issuer: str
    scope: str
    key_id: str
    key: str = field(repr=False)

    def request(self, now: datetime) -> requests.Request:
        """Return the request, with an assertion made at this moment."""
        issued = int(now.timestamp())
        claims = {
            "iss": self.issuer,
            "scope": self.scope,
            "aud": self.token_url,
            "iat": issued,
            "exp": issued + ASSERTION_SECONDS,
        }
        assertion = jwt.encode(claims, self.key, "RS256", {"kid": self.key_id})
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
        return requests.Request("POST", self.token_url, headers=FORM, data=urlencode(form))
