"""What can go wrong in capture."""


class CaptureError(Exception):
    """A model, a session or a value cannot be captured; the message says what to do about it."""


class CaptureWarning(UserWarning):
    """A watched table was written in a way that no event tells of; the message says how to mend it."""
