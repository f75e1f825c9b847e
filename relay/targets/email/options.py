"""The fields of an `email` target, and what is wrong with them."""

import re
from email.headerregistry import Address as Mailbox
from email.utils import parseaddr
from ipaddress import ip_address
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StrictInt, model_validator

from relay.domain.target import Concurrency, WordsOptions
from relay.domain.templates import TemplateText
from relay.domain.text import one_line
from relay.domain.tls import Certificates
from relay.secrets import SecretText

Security = Literal["starttls", "tls", "none"]

PORTS: dict[Security, int] = {"starttls": 587, "tls": 465, "none": 25}
"""Where mail is handed in (RFC 6409, RFC 8314), and where it is without encryption."""

RECIPIENTS = 100
"""As many as every server takes at once (RFC 5321, section 4.5.3.1.8)."""

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:.]{2,45}")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_NAME = 100


def mailbox(text: str) -> Mailbox:
    """Return an address with the name before it, if it has one. Raises `ValueError`."""
    name, address = parseaddr(text)
    if not text.isprintable() or not _ADDRESS.fullmatch(address) or ".." in address:
        raise ValueError("should be an address in ASCII: ana@example.com, or Ana <ana@example.com>")
    user, _, domain = address.rpartition("@")
    if user.startswith(".") or user.endswith("."):
        raise ValueError("no address begins or ends with a dot")
    return Mailbox(one_line(name, _NAME), user, domain)


def _checked(text: str) -> str:
    mailbox(text)
    return text


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise ValueError("should be a host name or an address, without scheme and port")
    return text


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Address = Annotated[str, AfterValidator(_checked)]
Addresses = Annotated[tuple[Address, ...], BeforeValidator(_listed)]


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine, to which nothing need be encrypted."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class EmailOptions(WordsOptions):
    """Fields of an `email` target: the server that mail is handed to, and who writes to whom."""

    model_config = ConfigDict(serialize_by_alias=True)

    host: Annotated[str, AfterValidator(_host)]
    port: Annotated[StrictInt, Field(ge=1, le=65535)] | None = None
    security: Security | None = None
    user: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    password: SecretText | None = None
    sender: Annotated[Address, Field(alias="from")]
    to: Annotated[Addresses, Field(min_length=1, max_length=RECIPIENTS)]
    cc: Annotated[Addresses, Field(max_length=RECIPIENTS)] = ()
    reply_to: Address | None = None
    subject: TemplateText | None = None
    ca: Certificates | None = None
    concurrency: Concurrency = 4

    @property
    def secured(self) -> Security:
        """How the connection is secured: as said, else by STARTTLS, but for this machine."""
        return self.security or ("none" if is_loopback(self.host) else "starttls")

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password belong together")
        if self.secured == "none" and self.password is not None and not is_loopback(self.host):
            raise ValueError('a password needs security = "starttls" or "tls"')
        if self.secured == "none" and self.ca is not None:
            raise ValueError('ca needs security = "starttls" or "tls"')
        return self
