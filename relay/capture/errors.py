"""What can go wrong in capture."""


class CaptureError(Exception):
    """A model, a session or a value cannot be captured; the message says what to do about it."""
