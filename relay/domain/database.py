"""Databases whose outbox the relay reads."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr, ValidationInfo

from relay.domain.names import Name
from relay.secrets import SecretText

DRIVERS = {
    "postgresql": ("psycopg",),
    "mysql": ("pymysql", "mysqldb"),
    "mariadb": ("pymysql", "mysqldb"),
    "sqlite": ("pysqlite",),
}
"""What a database's URL may begin with, and behind a `+` the drivers that may be named; the first is the default."""


def _spoken(url: SecretStr, info: ValidationInfo) -> SecretStr:
    # What is stored was read before, perhaps by a version that knew other drivers: it must not stop everything else.
    if not (info.context or {}).get("resolve"):
        return url
    scheme, separator, _ = url.get_secret_value().partition("://")
    dialect, _, driver = scheme.partition("+")
    if not separator or dialect not in DRIVERS:
        raise ValueError(f"a URL that begins with {', '.join(f'{known}://' for known in DRIVERS)}")
    if driver and driver not in DRIVERS[dialect]:
        raise ValueError(f"the relay's driver is {DRIVERS[dialect][0]}: begin with {dialect}://")
    return url


class Database(BaseModel):
    """One `[[databases]]` table: an application's own database, with a `relay_outbox` table in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    url: Annotated[SecretText, AfterValidator(_spoken)]
