"""Names and passwords. A sender that signs nothing and shows one proves who sends, not that the body is unchanged."""

from base64 import b64encode
from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from relay.domain.inbound import Inbound, SignedOptions
from relay.errors import BadSignature
from relay.secrets import SecretText
from relay.signing import require

AUTHORIZATION = "authorization"
BEARER = "bearer"
BASIC = "basic"


def _without_colon(name: str) -> str:
    if ":" in name:
        raise ValueError("a user's name holds no colon (RFC 7617, section 2)")
    return name


Username = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_without_colon)]


class Basic(BaseModel):
    """A user's name and password, as HTTP and SMTP know them."""

    # A rejected value may be the password: it must not come back in the error's words.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    user: Username
    password: SecretText

    @property
    def credentials(self) -> str:
        """Both as a `Basic` header has them (RFC 7617): they can be read from it."""
        return b64encode(f"{self.user}:{self.password.get_secret_value()}".encode()).decode()


class CredentialOptions(SignedOptions):
    """Options of a provider that takes a bearer token or, with `username`, a user's name and password."""

    username: Username | None = None


def require_credentials(request: Inbound, options: CredentialOptions) -> None:
    """Return if the request shows what the options ask for. Raises `BadSignature`."""
    if options.username is None:
        require_bearer(request, options.secrets)
    else:
        require_basic(request, options.username, options.secrets)


def require_bearer(request: Inbound, tokens: Iterable[str]) -> None:
    """Return if the request carries one of these bearer tokens. Raises `BadSignature`."""
    require(tokens, [bearer_token(request)])


def require_basic(request: Inbound, username: str, passwords: Iterable[str]) -> None:
    """Return if the request carries this user's name and one of the passwords. Raises `BadSignature`."""
    expected = (b64encode(f"{username}:{password}".encode()).decode() for password in passwords)
    require(expected, [_credentials(request, BASIC)])


def bearer_token(request: Inbound) -> str:
    """Return the bearer token of a request. Raises `BadSignature` when there is none."""
    return _credentials(request, BEARER)


def _credentials(request: Inbound, expected: str) -> str:
    scheme, _, shown = request.proof(AUTHORIZATION).partition(" ")
    if scheme.lower() != expected:
        raise BadSignature(f"the header {AUTHORIZATION} is not of the scheme {expected}")
    return shown.strip(" ")
