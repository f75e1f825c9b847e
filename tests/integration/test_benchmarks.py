"""Benchmarks are programs too: each runs, with a handful of everything, and answers its question."""

from importlib import import_module

import pytest

from benchmarks.__main__ import NAMES, table

SCALE = 0.001


@pytest.mark.parametrize("name", NAMES)
def test_every_benchmark_still_runs(name: str) -> None:
    """A benchmark measures what it says, however little there is to measure, and its answers fit one table."""
    rows = import_module(f"benchmarks.{name}").run(SCALE)
    assert rows
    for row in rows:
        assert row.ours > 0, row
        assert row.baseline > 0, row
        assert row.question in table(rows)
