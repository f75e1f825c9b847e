"""`relay check --database` tells what routes look for in rows that the database's tables do not have."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, String, Table, create_engine, text

from relay import plugins, wiring
from relay.errors import InvalidConfiguration, StoreUnavailable, UsageError
from relay.pipeline.configure.apply import Configurator
from tests.support.relay import RunningRelay

METADATA = MetaData()
Table(
    "orders", METADATA, Column("id", Integer, primary_key=True), Column("status", String(20)), Column("total", Integer)
)
Table("people", METADATA, Column("id", Integer, primary_key=True), Column("name", String(20)))
Table("managers", METADATA, Column("id", ForeignKey("people.id"), primary_key=True), Column("bonus", Integer))

HEAD = """\
[[databases]]
name = "shop"
url = "{url}"

[[sources]]
name = "github"
verify = "none"

[[targets]]
name = "hook"
kind = "http"
url = "https://hook.example/"

"""
ROUTE = '[[routes]]\nname = "r{number}"\nto = ["hook"]\n{fields}\n\n'

Check = Callable[..., list[str]]


@pytest.fixture
def url(application_url: str) -> str:
    """A database with these tables, and one in another schema where there are schemas."""
    engine = create_engine(application_url)
    METADATA.create_all(engine)
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            connection.execute(text("CREATE SCHEMA sales"))
            connection.execute(text("CREATE TABLE sales.refunds (id integer primary key, why text)"))
    engine.dispose()
    return application_url


@pytest.fixture
def check(url: str, tmp_path: Path) -> Check:
    """What is told of a configuration with these routes, a line each."""

    def told(*routes: str, more: str = "") -> list[str]:
        made = (ROUTE.format(number=number, fields=fields) for number, fields in enumerate(routes))
        path = tmp_path / "relay.toml"
        path.write_text(HEAD.format(url=url) + more + "".join(made))
        configurator: Any = Configurator(None, plugins.discover())  # type: ignore[arg-type]
        try:
            configurator.drift(path, "shop", wiring.tables_of)
        except InvalidConfiguration as error:
            return [str(problem).removeprefix(str(path)) for problem in error.problems]
        return []

    return told


GONE_FROM_TEXT = """\
text = "{% set row = data.after %}{{ row.sum }} {{ data['after'].get('tot') }}"
thread = "{{ data.after.k }}\""""
ORDERS = 'types = ["orders.updated"]\n'


def test_what_is_there(check: Check):
    """Columns that exist, methods, and what is no column at all are let through, as are tables that extend another."""
    assert not check(
        ORDERS + "when = \"data.after.status == 'paid' && data['before']['total'] > 1 && 'status' in data.changed\"",
        ORDERS
        + 'text = "{% for k, v in data.after.items() %}{{ k }}{% endfor %}{{ data.meta.actor }} {{ event.type }}"',
        'types = ["people.*"]\ntext = "{{ data.after.name.upper() }} {{ data.after.bonus }}"',
        'types = ["*.updated"]\ntext = "{{ data.after.status }} {{ data.after.name }}"',
        'sources = ["github"]\nwhen = "data.after.sha != data.before.sha"',
        'types = ["orders.paid"]\ntext = "{{ data.after.anything }}"',
        'text = "{{ data.pull_request.title }}"',
    )


def test_what_is_gone(check: Check):
    """Each is told with file, line and key, and with what may have been meant, in every kind of program."""
    told = check(
        ORDERS + "when = \"data.after.state == 'paid' && has(data.before.gone)\"",
        ORDERS + "when = \"data['after']['stat'] == 'x' || 'colour' in data.changed\"",
        ORDERS + GONE_FROM_TEXT,
        ORDERS + 'dedupe = { window = "30s", key = "{{ data.after.g }}" }\nlink = "https://x/{{ data.before.l }}"',
        'types = ["people.*", "orders.*"]\ntext = "{{ data.after.nobody }}"',
    )
    assert [line.partition(": data")[0] for line in told] == [
        *(":18: routes[0].when",) * 2,
        *(":24: routes[1].when",) * 2,
        *(":30: routes[2].text",) * 2,
        ":31: routes[2].thread",
        ":37: routes[3].dedupe.key",
        ":38: routes[3].link",
        ":44: routes[4].text",
    ]
    assert ': data.after: orders has no column state (did you mean "status"?)' in told[0]
    assert "data.changed: orders has no column colour" in told[3]
    assert "no table of shop that it hears of has a column nobody" in told[9]


def test_a_table_that_is_gone(check: Check):
    """A route that hears of this database alone, and of rows of a table that it lacks, is told; others may be right."""
    fields = 'types = ["invoices.updated"]\ntext = "{{ data.after.id }} {{ data.after.no }}"'
    assert not check(fields)
    assert check(f'sources = ["shop"]\n{fields}') == [":19: routes[0].text: shop has no table of invoices.updated"]


@pytest.mark.parametrize("application_url", ["postgresql"], indirect=True)
def test_schemas(check: Check):
    """A table of any schema is found, by its own name and with its schema's."""
    good = 'types = ["{}.updated"]\ntext = "{{{{ data.after.why }}}}"'
    assert not check(good.format("refunds"), good.format("sales.refunds"))
    assert (
        len(check(good.format("refunds").replace("why", "who"), good.format("sales.refunds").replace("why", "who")))
        == 2
    )


def test_on_the_command_line(tmp_path: Path):
    """The command fails with status 2 for drift, an unknown database, and 1 for one that cannot be looked at."""
    engine = create_engine(f"sqlite:///{tmp_path}/shop.db")
    METADATA.create_all(engine)
    engine.dispose()
    path = tmp_path / "relay.toml"
    fields = ORDERS + 'text = "{{ data.after.state }}"'
    path.write_text(HEAD.format(url=f"sqlite:///{tmp_path}/shop.db") + ROUTE.format(number=0, fields=fields))
    done = RunningRelay(tmp_path / "relay").cli("check", str(path), "--database", "shop")
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(f"{path}:18: routes[0].text: data.after: orders has no column state")
    configurator: Any = Configurator(None, plugins.discover())  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no database shops"):
        configurator.drift(path, "shops", wiring.tables_of)
    (tmp_path / "shop.db").unlink()
    with pytest.raises(StoreUnavailable, match="no file"):
        configurator.drift(path, "shop", wiring.tables_of)
