"""From relay.toml to a checked `Configuration`, and what applying it would change."""

from relay.pipeline.configure.check import check
from relay.pipeline.configure.document import Document, read
from relay.pipeline.configure.plan import Change, Plan, plan

__all__ = ["Change", "Document", "Plan", "check", "plan", "read"]
