"""Names of sources, targets, routes and databases."""

from typing import Annotated

from pydantic import StringConstraints

NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"

Name = Annotated[str, StringConstraints(pattern=NAME)]
"""1 to 64 letters, digits, `-` and `_`: safe in a path, a header and a log line."""
