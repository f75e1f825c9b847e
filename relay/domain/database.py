"""Databases whose outbox the relay reads."""

from pydantic import BaseModel, ConfigDict

from relay.domain.names import Name
from relay.secrets import SecretText


class Database(BaseModel):
    """One `[[databases]]` table: an application's own database, with a `relay_outbox` table in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    url: SecretText
