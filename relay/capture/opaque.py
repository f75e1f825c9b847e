"""SQL text: which watched tables it writes, as far as one can tell without a parser."""

import re
from functools import lru_cache

from relay.capture.registry import tables

_NAME = r"""((?:["`\[]?\w+["`\]]?\s*\.\s*)*["`\[]?\w+["`\]]?)"""
# MariaDB's and MySQL's.
_MANNER = "(?: low_priority | high_priority | delayed | quick | ignore )"
_WRITES = re.compile(
    rf"""
    \b (?:
        insert \s+ (?: (?:or\s+)? \w+ \s+ ){{0,2}}? into
      | insert (?: \s+ {_MANNER} )* (?! \s+ into )
      | replace (?: \s+ {_MANNER} )? (?: \s+ into )?
      | (?<! for\s ) (?<! do\s ) (?<! key\s ) update (?: \s+ or \s+ \w+ | \s+ {_MANNER} )* (?: \s+ only )?
      | delete (?: \s+ {_MANNER} )* \s+ from (?: \s+ only )?
      | delete (?: \s+ {_MANNER} )* (?! \s+ from ) \s+ [\w.*,`\s]+? \s+ from
      | load \s+ (?:data|xml) \b [^;]*? \b into \s+ table
      | merge \s+ into (?: \s+ only )?
      | truncate (?: \s+ table )? (?: \s+ only )?
    ) \s+ {_NAME}
    | \b copy \s+ {_NAME} \s* (?: \( [^)]* \) \s* )? from \b
    """,
    re.IGNORECASE | re.VERBOSE,
)


def written(sql: str) -> tuple[str, ...]:
    """Return the names of the watched tables that `sql` names after INSERT INTO, UPDATE, DELETE FROM and their like."""
    names = _named(sql)
    if not names:
        return ()
    watched = {name.lower() for table in tables() for name in (table, table.rpartition(".")[2])}
    return tuple(name for name in names if name.lower() in watched or name.rpartition(".")[2].lower() in watched)


@lru_cache(maxsize=1024)
def _named(sql: str) -> tuple[str, ...]:
    found = (first or second for first, second in _WRITES.findall(sql))
    return tuple(re.sub(r"""["`\[\]\s]""", "", name) for name in found)
