"""The demo: a small shop whose rows change all the time, and a configuration that sends what it does to a sandbox."""

from relay.demo.configuration import configuration
from relay.demo.shop import run

__all__ = ["configuration", "run"]
