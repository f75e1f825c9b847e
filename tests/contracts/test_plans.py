"""How PostgreSQL finds what is due, whatever it is asked for."""

import re

from sqlalchemy import event, text

from relay.domain.delivery import Lane
from relay.store.database import Database
from relay.store.migrate import migrate
from tests.support.stores import NOW, Stores

PARAMETER = re.compile(r"%\((\w+)\)s")


def test_a_claim_for_any_targets_reads_the_index(pg_database: str) -> None:
    """PostgreSQL keeps one plan once it has seen a statement some times: it reads what waits, not all that ever was."""
    database = Database(pg_database)
    migrate(database)
    stores = Stores(database)
    stores.add(300, "billing", "ops")
    seen: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: seen.append(given[2]))
    stores.deliveries.claim([Lane("billing", 10)], 10, NOW)
    numbers: dict[str, int] = {}
    statement = PARAMETER.sub(lambda found: f"${numbers.setdefault(found[1], len(numbers) + 1)}", seen[-1])
    with database.single() as connection:
        connection.execute(text("ANALYZE"))
        told = connection.exec_driver_sql("EXPLAIN (GENERIC_PLAN) " + statement.replace("%", "%%"))
        plan = "\n".join(row[0] for row in told)
    database.dispose()
    assert "Index Scan using deliveries_due" in plan, plan
    assert "Seq Scan on deliveries" not in plan, plan
