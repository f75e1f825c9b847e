"""Mail, handed to a real SMTP server: encrypted, logged in, in threads, and never twice to whoever took it."""

from typing import Any

import pytest

from relay.domain.delivery import Attempt, Delivery
from tests.support.engine import Engine, engine
from tests.support.processes import free_port
from tests.support.smtp import (
    CERTIFICATE,
    PASSWORD,
    USER,
    MailServer,
    mail_server,
    secure_mail_server,
    smtps_server,
)

__all__ = ["engine", "mail_server", "secure_mail_server", "smtps_server"]

pytestmark = pytest.mark.filterwarnings("ignore:Session.login_data is deprecated")

CA = f"'''{CERTIFICATE}'''"
LOGIN = {"user": f'"{USER}"', "password": f'"{PASSWORD}"'}


def toml(port: int, to: str = '"ana@example.com"', **options: Any) -> str:
    """A target of relay.toml that sends mail to a port of this machine, with a route for every event."""
    known = {"host": '"127.0.0.1"', "port": port, "from": '"relay@example.com"', "to": to, "retry": '["1ms"]'}
    lines = "\n".join(f"{name} = {value}" for name, value in (known | options).items())
    route = '[[routes]]\nname = "all"\nsources = ["shop"]\nto = ["mail"]\nthread = "{{ event.subject }}"\n'
    return f'[[targets]]\nname = "mail"\nkind = "email"\n{lines}\n{route}'


def sent(engine: Engine, *subjects: str) -> tuple[list[Delivery], list[Attempt]]:
    """Send an event about each subject; return all deliveries, and their attempts in order."""
    engine.record(*subjects or ("orders/1",))
    engine.drain_until_settled()
    deliveries = engine.deliveries()
    attempts = [one for delivery in deliveries for one in engine.relay.deliveries.attempts_of(delivery.id)]
    return deliveries, sorted(attempts, key=lambda attempt: (attempt.at, attempt.number))


def test_mail_arrives_encrypted_and_logged_in(engine: Engine, secure_mail_server: MailServer) -> None:
    """STARTTLS first, then the login; one connection serves one mail after the other."""
    engine.configure(toml(secure_mail_server.port, security='"starttls"', ca=CA, concurrency=1, **LOGIN))
    deliveries, attempts = sent(engine, "orders/1", "orders/2", "orders/3")
    assert [one.state for one in deliveries] == ["delivered"] * 3
    assert {(one.outcome, one.status) for one in attempts} == {("delivered", 250)}
    assert attempts[0].response == "<ana@example.com> 250 2.1.5 ok\n250 2.0.0 queued"
    taken = secure_mail_server.box.taken
    assert {(one.encrypted, one.user, one.sender) for one in taken} == {(True, USER, "relay@example.com")}
    assert len({one.port for one in taken}) == 1
    body = taken[0].mail.get_body(("plain",))
    assert body is not None
    assert "number: 0" in body.get_content()


def test_tls_from_the_start(engine: Engine, smtps_server: MailServer) -> None:
    """With `tls` nothing at all is said in clear."""
    engine.configure(toml(smtps_server.port, security='"tls"', ca=CA))
    assert [one.state for one in sent(engine)[0]] == ["delivered"]
    assert smtps_server.box.taken[0].encrypted


@pytest.mark.parametrize(("options", "outcome"), [({"security": '"starttls"'}, "tls"), ({"security": '"tls"'}, "tls")])
def test_nothing_is_said_to_a_stranger(
    engine: Engine, secure_mail_server: MailServer, options: dict[str, str], outcome: str
) -> None:
    """A server whose certificate nobody vouches for hears neither password nor mail."""
    engine.configure(toml(secure_mail_server.port, **options, **LOGIN))
    _, attempts = sent(engine)
    assert {one.outcome for one in attempts} == {outcome}
    assert not secure_mail_server.box.taken


def test_starttls_is_not_done_without(engine: Engine, mail_server: MailServer) -> None:
    """A server that offers no STARTTLS, or whose offer somebody took out, gets no mail."""
    engine.configure(toml(mail_server.port, security='"starttls"'))
    _, attempts = sent(engine)
    assert {one.outcome for one in attempts} == {"tls"}
    assert not mail_server.box.taken


def test_a_wrong_password_is_final(engine: Engine, secure_mail_server: MailServer) -> None:
    """The server's 535 is the answer; the password is in no error."""
    wrong = LOGIN | {"password": '"wrong-password"'}
    engine.configure(toml(secure_mail_server.port, security='"starttls"', ca=CA, **wrong))
    deliveries, (attempt,) = sent(engine)
    assert deliveries[0].state == "dead"
    assert (attempt.outcome, attempt.status) == ("rejected", 535)
    assert "wrong-password" not in str(attempt)


def test_a_refused_recipient_costs_the_others_nothing(engine: Engine, mail_server: MailServer) -> None:
    """Who is taken gets the mail, once; the attempt names the others."""
    engine.configure(toml(mail_server.port, '["ana@example.com", "nobody@example.com"]', cc='["busy@example.com"]'))
    (delivery,), (attempt,) = sent(engine)
    assert (delivery.state, attempt.outcome) == ("delivered", "delivered")
    assert attempt.error == (
        "not for every recipient: <nobody@example.com> 550 5.1.1 no such user; <busy@example.com> 451 4.2.1 try again"
    )
    (taken,) = mail_server.box.taken
    assert taken.recipients == ("ana@example.com",)


@pytest.mark.parametrize(
    ("to", "tries", "status"),
    [
        ('["nobody@example.com"]', 1, 550),
        ('["busy@example.com"]', 2, 451),
        ('["busy@example.com", "nobody@example.com"]', 2, 550),
    ],
)
def test_mail_for_nobody(engine: Engine, mail_server: MailServer, to: str, tries: int, status: int) -> None:
    """Refused by all for good it is dead; if one of them may take it later, it is tried again."""
    engine.configure(toml(mail_server.port, to))
    (delivery,), attempts = sent(engine)
    assert (delivery.state, len(attempts)) == ("dead", tries)
    assert {one.status for one in attempts} == {status}
    assert not mail_server.box.taken


def test_a_busy_server_is_asked_again(engine: Engine, mail_server: MailServer) -> None:
    """A 4yz to the mail itself is tried again, with the same Message-ID; a 5yz is not."""
    mail_server.box.answers += ["452 4.3.1 no space", "250 ok"]
    engine.configure(toml(mail_server.port))
    (delivery,), attempts = sent(engine)
    assert delivery.state == "delivered"
    assert [(one.outcome, one.status, one.error) for one in attempts] == [
        ("failed", 452, "452 4.3.1 no space"),
        ("delivered", 250, None),
    ]
    mail_server.box.answers.append("554 5.7.1 no spam")
    engine.record("orders/2")
    engine.drain()
    assert engine.deliveries()[-1].last_status == 554


def test_mails_of_a_thread_hang_together(engine: Engine, mail_server: MailServer) -> None:
    """Mails about one subject refer to the same one, each has an id of its own, and no program answers them."""
    engine.configure(toml(mail_server.port))
    sent(engine, "orders/1", "orders/2", "orders/1")
    mails = [one.mail for one in mail_server.box.taken]
    assert len({mail["Message-ID"] for mail in mails}) == 3
    assert len({mail["References"] for mail in mails}) == 2
    assert {mail["Auto-Submitted"] for mail in mails} == {"auto-generated"}
    assert all(mail["In-Reply-To"] == mail["References"] for mail in mails)


def test_nobody_listens(engine: Engine) -> None:
    """A server that is away is a failure like any other."""
    engine.configure(toml(free_port()))
    assert {one.outcome for one in sent(engine)[1]} == {"refused"}


def test_mail_goes_through_the_guard(engine: Engine) -> None:
    """A server at a private address is refused unless it is allowed."""
    engine.configure(toml(25, host='"10.0.0.1"', security='"none"'))
    assert [one.outcome for one in sent(engine)[1]] == ["blocked"]
