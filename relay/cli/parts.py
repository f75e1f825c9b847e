"""The relay's parts, fetched when a command needs them: help and wrong usage are told without waiting for them."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relay.wiring import Relay


def current() -> "Relay":
    """Return the parts of this process. Raises `InvalidConfiguration` where the environment is wrong."""
    from relay import wiring

    return wiring.current()
