"""People: whom a route names by what an event says of them. Each has a place of their own, as a target has."""

import re

PREFIX = "user:"
"""What the target of a person begins with; a target of relay.toml has no colon in its name."""

STAND_IN = "person"
"""The name under which a person's options are checked: that of their target is none that relay.toml may give."""

WORDS = "1 to 59 characters: letters a to z, digits and . _ + @ = ~ ' -, the first a letter or a digit"

# With the prefix it is a delivery's target, of at most 64 characters; it stands in paths and in log lines too.
_NAME = re.compile(r"[a-z0-9][a-z0-9._+@=~'-]{0,58}")


def target_of(text: str) -> str | None:
    """Return the target of the person that a text names, in any case; `None` where it can name nobody."""
    name = text.strip().lower()
    return PREFIX + name if _NAME.fullmatch(name) else None


def is_person(target: str) -> bool:
    """Say whether a target is a person's, or names one by a template."""
    return target.startswith(PREFIX)
