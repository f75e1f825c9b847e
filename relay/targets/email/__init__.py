"""Mail, over SMTP."""

import hashlib
import re
from dataclasses import replace
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import partial
from typing import ClassVar

import requests

from relay.domain.errand import Envelope, Mail
from relay.domain.layout import Room, roomiest
from relay.domain.plain import LINE, plain, title_of
from relay.domain.replies import safe_words
from relay.domain.target import Delivered, Message, Outcome, Refused, TargetOptions, TryLater
from relay.domain.templates import Template, TemplateFailed
from relay.domain.text import clean, one_line
from relay.domain.tls import tls_of
from relay.domain.words import NOTHING
from relay.targets.email.body import markup
from relay.targets.email.options import PORTS, EmailOptions, mailbox

MESSAGE_BYTES = 1_000_000
"""Largest mail: far below what servers take, more than anybody reads."""

ROOMS = (Room(500, 5_000, 100_000), Room(200, 500, 20_000), Room(100, 200, 5_000))
"""Sizes of a card, tried in turn until the mail fits."""

# Seven bits and short lines pass through every server unchanged, as signatures of mail (DKIM) need it.
_POLICY = SMTP.clone(cte_type="7bit")
_ID = re.compile(r"[A-Za-z0-9_-]{1,120}(\.[A-Za-z0-9_-]{1,20})?")
_REPLY = re.compile(r"<[^<>]*> (\d{3})\b")


class EmailTarget:
    """Sends each event as a mail to one or more people, through an SMTP server.

    `from`, `to`, `cc` and `reply_to` are addresses, with a name before them if you like. `subject` is a template;
    without one the news' title is the subject. A route's `text` is the mail, as it stands; without one the mail shows
    what changed in a row, or the fields of any other event. Every mail has a part in plain words and one in HTML.

    `security` is `starttls` (port 587), `tls` (port 465) or `none` (port 25); without it a server on this machine is
    spoken to in clear, any other by STARTTLS, which it must then offer. `user` and `password` log in. `ca` is the one
    authority that the server's certificate may come from.

    Mails of one `thread` refer to one another, so that mail programs show them together. A retry has the same
    `Message-ID`. What the server refuses for now (4yz) is tried again, what it refuses for good (5yz) is not. If it
    takes the mail for some recipients, it is delivered, and the attempt names the others: nobody is sent it twice.
    """

    kind: ClassVar[str] = "email"
    Options: ClassVar[type[TargetOptions]] = EmailOptions
    words: ClassVar[bool] = True

    def __init__(self, options: EmailOptions) -> None:
        self._options = options
        self._from = mailbox(options.sender)
        self._to = tuple(map(mailbox, options.to))
        self._cc = tuple(map(mailbox, options.cc))
        self._reply_to = mailbox(options.reply_to) if options.reply_to else None
        self._subject = Template(options.subject) if options.subject is not None else None
        self._server = _server(options)
        self._password = options.password.get_secret_value() if options.password else ""
        self._envelope = Envelope(
            sender=self._from.addr_spec,
            recipients=tuple(dict.fromkeys(one.addr_spec for one in (*self._to, *self._cc))),
            starttls=options.secured == "starttls",
            user=options.user or "",
            password=self._password,
            tls=tls_of(None, None, options.ca),
        )

    @property
    def pace(self) -> str:
        """The target itself: what a server allows is between it and its users."""
        return f"{self.kind}:{self._options.name}"

    @staticmethod
    def escape(value: str) -> str:
        """Return a value as plain words: mail has no markup there."""
        return clean(value)

    def render(self, message: Message) -> requests.Request:
        """Return the mail that tells of the event; a subject that fails costs itself, not the mail."""
        subject, failure = self._subject_of(message)
        if failure:
            message = replace(message, notice=" ".join(filter(None, (message.notice, failure))))
        mail = EmailMessage(policy=_POLICY)
        mail["From"], mail["To"] = self._from, self._to
        if self._cc:
            mail["Cc"] = self._cc
        if self._reply_to is not None:
            mail["Reply-To"] = self._reply_to
        mail["Subject"] = subject
        mail["Date"] = format_datetime(message.sent_at)
        mail["Message-ID"] = self._message_id(message)
        if message.thread:
            mail["In-Reply-To"] = mail["References"] = self._id(f"thread.{_digest(message.thread)[:20]}")
        mail["Auto-Submitted"] = "auto-generated"
        content = roomiest(ROOMS, partial(_written, mail, message), lambda made: len(made) <= MESSAGE_BYTES)
        return Mail(self._server, self._envelope, content)

    def judge(self, response: requests.Response, now: datetime) -> Outcome:
        """Return what the server's replies mean: of several refused recipients, one that may pass is reason to wait."""
        lines = response.content.decode(errors="replace").splitlines()
        refused = [line for line in lines if (match := _REPLY.match(line)) and not match[1].startswith("2")]
        status = response.status_code
        words = "; ".join(self._safe(line) for line in refused or lines[-1:])
        if 200 <= status < 300:
            return Delivered(f"not for every recipient: {words}" if refused else None)
        passing = any(match[1].startswith("4") for line in refused if (match := _REPLY.match(line)))
        reason = words or f"the server answered {status}"
        return Refused(reason) if 500 <= status < 600 and not passing else TryLater(reason)

    def _safe(self, line: str) -> str:
        return safe_words(line, [self._password] if self._password else [])

    def _subject_of(self, message: Message) -> tuple[str, str]:
        """Return the subject, and why the template failed if it did. A fold tells of many: its title is its subject."""
        failure, words = "", title_of(message)
        if self._subject is not None and not message.folded:
            try:
                words = self._subject.render(message.event, clean)
            except TemplateFailed as error:
                failure = f"The subject failed: {error}"
        return one_line(words, LINE) or NOTHING, failure

    def _message_id(self, message: Message) -> str:
        # A replay is meant to be seen again, and so is what tells more: mail programs hide what they have seen.
        again = message.earlier or message.folded
        return self._id(f"{message.id}.{message.earlier}-{message.folded}" if again else message.id)

    def _id(self, name: str) -> str:
        return f"<{name if _ID.fullmatch(name) else _digest(name)}@{self._from.domain}>"


def _written(mail: EmailMessage, message: Message, room: Room) -> bytes:
    mail.clear_content()
    mail.set_content(f"{plain(message, room)}\n")
    mail.add_alternative(markup(message, room), subtype="html")
    # Drawn by lot, it would make every try another mail.
    mail.set_boundary(f"=_{_digest(message.id)[:32]}")
    return mail.as_bytes()


def _server(options: EmailOptions) -> str:
    scheme = "smtps" if options.secured == "tls" else "smtp"
    host = f"[{options.host}]" if ":" in options.host else options.host
    return f"{scheme}://{host}:{options.port or PORTS[options.secured]}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


TARGET = EmailTarget
