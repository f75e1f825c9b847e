"""What can go wrong, by name. A docstring is the message when none is given; `hint` says how to mend it."""

from collections.abc import Iterable
from dataclasses import dataclass


class RelayError(Exception):
    """Something went wrong in the relay."""

    exit_status = 1

    def __init__(self, message: str | None = None, *, hint: str | None = None) -> None:
        self.message = message or (type(self).__doc__ or "").split("\n")[0]
        self.hint = hint
        super().__init__(f"{self.message} ({hint})" if hint else self.message)


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a configuration file: where it is, what it is, and how to mend it. Holds no secret.

    `key` is written as `targets[1].retry`, counted from 0; empty where the whole file is meant, as is line 0.
    """

    file: str
    line: int
    key: str
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        parts = [place, self.key, self.message] if self.key else [place, self.message]
        line = ": ".join(parts)
        return " ".join((f"{line} ({self.hint})" if self.hint else line).split())


class InvalidConfiguration(RelayError):
    """The configuration is wrong: nothing of it was applied.

    `problems` holds every mistake of a file; the message then has a line for each.
    """

    exit_status = 2

    def __init__(
        self, message: str | None = None, *, hint: str | None = None, problems: Iterable[Problem] = ()
    ) -> None:
        self.problems = tuple(problems)
        super().__init__(message or "\n".join(map(str, self.problems)), hint=hint)


class UsageError(RelayError):
    """The command was called with words that do not fit."""

    exit_status = 2


class NotFound(RelayError):
    """There is no such thing."""


class BadSignature(RelayError):
    """The signature is missing, wrong, or outside the time window."""


class Unreadable(RelayError):
    """The body is not what its content type, or its sender, says it is."""


class Unsupported(RelayError):
    """The body is of a kind that is not read here."""


class TooLarge(RelayError):
    """The body is larger than may be sent here."""


class TooMany(RelayError):
    """More came than this source may send; `retry_after` is the number of seconds until there is room again."""

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        seconds = "1 second" if retry_after == 1 else f"{retry_after} seconds"
        super().__init__(f"more came than this source may send: send it again in {seconds}")


class Unfetched(RelayError):
    """What the request has to be checked against could not be fetched: nothing was stored, send it again."""


class StoreUnavailable(RelayError):
    """The database did not answer: nothing was stored."""
