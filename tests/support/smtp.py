"""A real SMTP server on loopback, which takes, delays and refuses mail as its recipients' names ask."""

import ssl
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.support.certificates import pem
from tests.support.processes import HOST, free_port

USER, PASSWORD = "relay", "the-pässword"

CERTIFICATE = pem()


@dataclass(frozen=True, slots=True)
class Taken:
    """A mail that the server took: for whom, over which of the client's ports, encrypted or not, and by which user."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    port: int
    encrypted: bool
    user: str | None

    @property
    def mail(self) -> EmailMessage:
        """The mail as a program reads it."""
        mail = message_from_bytes(self.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        return mail


@dataclass
class Box:
    """What the server took, and how it answers: by the recipient's name, and to the mail itself, in turn."""

    taken: list[Taken] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802  the name is the library's
        self, server: SMTP, session: Session, envelope: Envelope, address: str, _: Any
    ) -> str:
        """Refuse `nobody` for good and `busy` for now."""
        name = address.partition("@")[0]
        if name in ("nobody", "busy"):
            return "550 5.1.1 no such user" if name == "nobody" else "451 4.2.1 try again"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take the mail, or answer as told."""
        answer = self.answers.pop(0) if self.answers else "250 2.0.0 queued"
        if answer.startswith("250"):
            login = session.auth_data
            assert isinstance(envelope.content, bytes)
            self.taken.append(
                Taken(
                    sender=envelope.mail_from or "",
                    recipients=tuple(envelope.rcpt_tos),
                    content=envelope.content,
                    port=(session.peer or (HOST, 0))[1],
                    encrypted=server.transport is not None
                    and server.transport.get_extra_info("sslcontext") is not None,
                    user=login.login.decode() if isinstance(login, LoginPassword) else None,
                )
            )
        return answer


@dataclass(frozen=True)
class MailServer:
    """A running server and its box."""

    port: int
    box: Box


def _login(server: SMTP, session: Session, envelope: Envelope, mechanism: str, login: LoginPassword) -> AuthResult:
    known = login.login == USER.encode() and login.password == PASSWORD.encode()
    return AuthResult(success=known, handled=False, auth_data=login)


def _served(**options: Any) -> Iterator[MailServer]:
    box = Box()
    controller = Controller(box, hostname=HOST, port=free_port(), **options)
    controller.start()
    try:
        yield MailServer(controller.port, box)
    finally:
        controller.stop()


def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with tempfile.NamedTemporaryFile("w") as file:
        Path(file.name).write_text(CERTIFICATE)
        context.load_cert_chain(file.name)
    return context


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    """A server that speaks in clear and asks nobody who he is."""
    yield from _served()


@pytest.fixture
def secure_mail_server() -> Iterator[MailServer]:
    """A server that wants STARTTLS and then a login."""
    options = {"tls_context": _tls(), "require_starttls": True, "authenticator": _login, "auth_required": True}
    yield from _served(**options)


@pytest.fixture
def smtps_server() -> Iterator[MailServer]:
    """A server that is encrypted from the start."""
    yield from _served(ssl_context=_tls())
