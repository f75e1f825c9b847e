"""What can go wrong, by name. A docstring is the message when none is given; `hint` says how to mend it."""


class RelayError(Exception):
    """Something went wrong in the relay."""

    exit_status = 1

    def __init__(self, message: str | None = None, *, hint: str | None = None) -> None:
        self.message = message or (type(self).__doc__ or "").split("\n")[0]
        self.hint = hint
        super().__init__(f"{self.message} ({hint})" if hint else self.message)


class InvalidConfiguration(RelayError):
    """The configuration is wrong: nothing of it was applied."""

    exit_status = 2


class UsageError(RelayError):
    """The command was called with words that do not fit."""

    exit_status = 2


class NotFound(RelayError):
    """There is no such thing."""


class BadSignature(RelayError):
    """The signature is missing, wrong, or outside the time window."""


class Unreadable(RelayError):
    """The body is not what its content type, or its sender, says it is."""


class StoreUnavailable(RelayError):
    """The database did not answer: nothing was stored."""


class Blocked(RelayError):
    """The address is private and not allowed: set RELAY_EGRESS_ALLOW if the target may be reached."""
