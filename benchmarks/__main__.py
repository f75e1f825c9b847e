"""`python -m benchmarks [--scale S] [NAME ...]`: run benchmarks, print one table, keep the figures in results.json."""

import argparse
import json
import os
import platform
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from benchmarks.report import Row

NAMES = (
    "rendering",
    "transport",
    "inbound",
    "delivery",
    "backlog",
    "whole",
    "latency",
    "sick",
    "storm",
    "growth",
    "idle",
    "capture",
)
RESULTS = Path(__file__).with_name("results.json")


def main() -> None:
    """Run what was asked for, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one or more of: {', '.join(NAMES)}")
    parser.add_argument("--scale", type=float, default=1.0, help="how much of each to run; only 1 is kept")
    options = parser.parse_args()
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    answers: dict[str, list[Row]] = {}
    for name in options.names or NAMES:
        print(f"{name} ...", flush=True)
        answers[name] = import_module(f"benchmarks.{name}").run(options.scale)
        if options.scale == 1:
            keep(name, answers[name])
    print(table([row for rows in answers.values() for row in rows]))


def keep(name: str, rows: list[Row]) -> None:
    """Write down what a benchmark said, and on what kind of machine; what others said before stays."""
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    today = datetime.now(UTC).date().isoformat()
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "date": today}
    known[name] = {"machine": machine, "rows": [asdict(row) | {"ratio": round(row.ratio, 2)} for row in rows]}
    RESULTS.write_text(json.dumps(known, indent=2) + "\n")


def table(rows: list[Row]) -> str:
    """Return the answers as a table: figures to the right, `-` where there is no limit."""
    head = ("question", "unit", "ours", "baseline", "limit", "ratio")
    lines = [head, *(_cells(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    sides = [str.ljust, str.ljust, *[str.rjust] * 4]
    return "\n".join(
        "  ".join(side(cell, width) for side, cell, width in zip(sides, line, widths, strict=True)) for line in lines
    )


def _cells(row: Row) -> tuple[str, ...]:
    limit = "-" if row.limit is None else _figure(row.limit)
    return row.question, row.unit, _figure(row.ours), _figure(row.baseline), limit, f"{row.ratio:.2f}"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


if __name__ == "__main__":
    main()
