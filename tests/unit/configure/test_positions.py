"""Lines of TOML documents: each key's line is the one it is written on, whatever stands around it."""

import tomllib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from relay.pipeline.configure.positions import Key, positions

HARD = '''\
# a comment with "quotes" and [brackets]
top = 1
"quoted.key" = 'lite"ral # no comment'
a.b . "c d" = 2

[[targets]] # first
name = "one"
text = """
[[not.a.table]]
key = "no key" \\""" still inside
""""
retry = [
  "5s", # "comment"
  [1, { x = 1, y.z = [
    2 ] }],
  \'\'\'
]\'\'\',
]
[targets.headers]
x-a = "1"

[[targets]]
when = \'\'\'it''s\'\'\'\'\'
[targets.retry]
first = 1979-05-27 07:32:00
  [[targets.parts]]
  p = +1.5e3
  [[targets.parts]]
  p = inf
[ later . "x" ]
y = {}
z = []
[later]
w = ""
'''


def test_a_hard_document() -> None:
    """Comments, quotes in quotes, strings and arrays over many lines, dotted and quoted keys, tables in tables."""
    tomllib.loads(HARD)
    assert positions(HARD) == {
        ("top",): 2,
        ("quoted.key",): 3,
        ("a",): 4,
        ("a", "b"): 4,
        ("a", "b", "c d"): 4,
        ("targets",): 6,
        ("targets", 0): 6,
        ("targets", 0, "name"): 7,
        ("targets", 0, "text"): 8,
        ("targets", 0, "retry"): 12,
        ("targets", 0, "retry", 0): 13,
        ("targets", 0, "retry", 1): 14,
        ("targets", 0, "retry", 1, 0): 14,
        ("targets", 0, "retry", 1, 1): 14,
        ("targets", 0, "retry", 1, 1, "x"): 14,
        ("targets", 0, "retry", 1, 1, "y"): 14,
        ("targets", 0, "retry", 1, 1, "y", "z"): 14,
        ("targets", 0, "retry", 1, 1, "y", "z", 0): 15,
        ("targets", 0, "retry", 2): 16,
        ("targets", 0, "headers"): 19,
        ("targets", 0, "headers", "x-a"): 20,
        ("targets", 1): 22,
        ("targets", 1, "when"): 23,
        ("targets", 1, "retry"): 24,
        ("targets", 1, "retry", "first"): 25,
        ("targets", 1, "parts"): 26,
        ("targets", 1, "parts", 0): 26,
        ("targets", 1, "parts", 0, "p"): 27,
        ("targets", 1, "parts", 1): 28,
        ("targets", 1, "parts", 1, "p"): 29,
        ("later",): 33,
        ("later", "x"): 30,
        ("later", "x", "y"): 31,
        ("later", "x", "z"): 32,
        ("later", "w"): 34,
    }


NAMES = st.sampled_from(["name", "a-b", "7", '"q.q"', "'l l'", '"\\u00e9"', '"#"', '"]"', "x_1"])
GAPS = st.sampled_from(["", "\n", "# [[no]] 'table'\n", "  \n\t\n", '# """\n'])
END = st.sampled_from(["", " # end", "\t", ' # "'])
SCALARS = st.sampled_from(
    ("1", "-1.5", "true", "1979-05-27T07:32:00Z", "0x1F", '"a"', '"\\"]#"', "'\\'", '""', "''", '"{"', "'}'")
) | st.sampled_from(
    ('"""\n[x]\n"""', "'''\n'a' = 1\n'''", '"""a\\\n  b"""', '""""quoted""""', '"""\\""" """', "''''''")
)


def _spelled(name: str) -> str:
    return next(iter(tomllib.loads(f"{name} = 0")))


class Writer:
    """Writes a document piece by piece, and notes the line on which each key begins."""

    def __init__(self, data: st.DataObject) -> None:
        self.text = ""
        self.lines: dict[Key, int] = {}
        self._draw = data.draw

    def note(self, key: Key) -> None:
        """The key is written here."""
        self.lines[key] = self.text.count("\n") + 1

    def value(self, key: Key, depth: int, *, inline: bool) -> None:
        """Write a scalar, an array or an inline table."""
        shape = self._draw(st.sampled_from(["scalar", "array", "table"] if depth else ["scalar"]))
        if shape == "array":
            self.text += "["
            for index in range(self._draw(st.integers(0, 3))):
                self.text += self._draw(GAPS)
                self.note((*key, index))
                self.value((*key, index), depth - 1, inline=inline)
                self.text += self._draw(GAPS) + ","
            self.text += self._draw(GAPS) + "]"
        elif shape == "table":
            self.text += "{"
            names = self._draw(st.lists(NAMES, max_size=2, unique=True))
            for number, name in enumerate(names):
                self.text += ", " if number else " "
                self.pair(key, name, depth - 1, inline=True)
            self.text += " }"
        else:
            self.text += self._draw(SCALARS)

    def pair(self, table: Key, name: str, depth: int, *, inline: bool = False) -> None:
        """Write `name = value`."""
        self.note((*table, _spelled(name)))
        self.text += name + self._draw(st.sampled_from([" = ", "=", "\t= "]))
        self.value((*table, _spelled(name)), depth, inline=inline)

    def body(self, table: Key) -> None:
        """Write some pairs of a table."""
        for name in self._draw(st.lists(NAMES, max_size=3, unique=True)):
            self.text += self._draw(GAPS)
            self.pair(table, name, 2)
            self.text += self._draw(END) + "\n"

    def document(self) -> None:
        """Write arrays of tables, each with a table of its own, and plain tables."""
        self.body(())
        for section in self._draw(st.lists(st.sampled_from(["s1", "s2"]), max_size=4)):
            number = sum(1 for key in self.lines if len(key) == 2 and key[0] == section and isinstance(key[1], int))
            self.text += self._draw(GAPS)
            if not number:
                self.note((section,))
            self.note((section, number))
            self.text += f"[[{section}]]" + self._draw(END) + "\n"
            self.body((section, number))
            if self._draw(st.booleans()):
                self.note((section, number, "sub"))
                self.text += f"[{section}.sub]\n"
                self.body((section, number, "sub"))


def _reachable(key: Key, content: Any) -> bool:
    for part in key:
        content = content[part]
    return True


@settings(max_examples=100, deadline=None, database=None)
@given(data=st.data())
def test_any_document(data: st.DataObject) -> None:
    """However valid TOML is written, every key of it is found on the line where it stands, and nothing else is."""
    writer = Writer(data)
    writer.document()
    content = tomllib.loads(writer.text)
    assert positions(writer.text) == writer.lines
    assert positions(writer.text.replace("\n", "\r\n")) == writer.lines
    assert all(_reachable(key, content) for key in writer.lines)
