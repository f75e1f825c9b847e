"""Checking a configuration: every kind of mistake is told with its file, line and key, all of them at once."""

import os
import tomllib
from collections.abc import Iterator
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.domain.configuration import Configuration
from relay.domain.route import Route
from relay.errors import InvalidConfiguration
from relay.pipeline.configure import check, read
from relay.pipeline.configure.document import Document, parse
from relay.plugins import discover

GOOD = """\
[[sources]]
name = "github"
verify = "github"
secret = ["env:NEW_SECRET", "old secret"]

[[databases]]
name = "shop"
url = "sqlite:///shop.db"

[[targets]]
name = "ops-room"
kind = "google_chat"
url = "https://chat.googleapis.com/v1/spaces/AAA/messages?key=K&token=T"

[[targets]]
name = "billing"
kind = "http"
url = "https://billing.example.com/hooks"
headers = { x-team = "env:NEW_SECRET" }
retry = { first = "1s", factor = 2, max = "1h", attempts = 20 }
fallback = "ops-room"

[[routes]]
name = "paid-orders"
types = ["orders.*"]
when = "data.after.status == 'paid'"
to = ["ops-room", "billing"]
text = "Order *{{ data.after.id }}*"
"""

SENTINEL = "S3NT1N3L-secret-value"


def compile_route(route: Route) -> None:
    """Refuse what holds the word WRONG, one program at a time."""
    for field in ("when", "text", "thread"):
        if "WRONG" in (getattr(route, field) or ""):
            raise ValueError(f"cannot compile {field}")
    for field in ("digest", "dedupe"):
        if getattr(route, field) and "WRONG" in (getattr(route, field).key or ""):
            raise ValueError(f"cannot compile {field}")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that is there, and none that is not."""
    monkeypatch.setenv("NEW_SECRET", "new secret")
    monkeypatch.delenv("MISSING", raising=False)


def checked(text: str) -> Configuration:
    """Return the configuration that the text holds."""
    return check(parse(text, "relay.toml"), discover(), compile_route)


def mistakes(text: str) -> list[str]:
    """Return the lines that tell what is wrong with the text."""
    with pytest.raises(InvalidConfiguration) as caught:
        checked(text)
    assert caught.value.exit_status == 2
    assert str(caught.value).splitlines() == [str(problem) for problem in caught.value.problems]
    return str(caught.value).splitlines()


def instead(old: str, new: str) -> str:
    """Return the good configuration with one part of it written differently."""
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


def test_good_configuration_is_read() -> None:
    """What is right is returned in the order of the file, its secrets looked up."""
    configuration = checked(GOOD)
    assert configuration.sources[0].secrets == ("new secret", "old secret")
    assert [target.name for target in configuration.targets] == ["ops-room", "billing"]
    assert [route.name for route in configuration.routes] == ["paid-orders"]
    assert [database.name for database in configuration.databases] == ["shop"]


def test_nothing_is_a_configuration() -> None:
    """An empty file configures nothing, and that is fine."""
    assert checked("# nothing yet\n") == Configuration()


MISTAKES = {
    "unknown section": (instead("[[databases]]", "[[database]]"), 6, "database", 'did you mean "databases"?'),
    "surface of a later version": (GOOD + '[[schedules]]\nname = "a"\n', 29, "schedules", "unknown key"),
    "section that is no list": (instead("[[databases]]", "[databases]"), 6, "databases", "write [[databases]]"),
    "section that is a value": ("sources = 1\n", 1, "sources", "write [[sources]]"),
    "section with a value in it": ("routes = [\n1]\n", 1, "routes", "write [[routes]]"),
    "unknown key": (instead("types =", "tpyes ="), 25, "routes[0].tpyes", 'did you mean "types"?'),
    "unknown key without a likeness": (instead("types =", "zzz ="), 25, "routes[0].zzz", "one of: name, types"),
    "unknown key beside files": (instead("types =", "text_fil ="), 25, "routes[0].text_fil", '"text_file"?'),
    "text for a list": (instead('["ops-room", "billing"]', '"ops-room"'), 27, "routes[0].to", "should be a list"),
    "empty list": (instead('["ops-room", "billing"]', "[]"), 27, "routes[0].to", "should name at least 1"),
    "unknown key in a table": (instead("max =", "maxx ="), 20, "targets[1].retry.maxx", 'did you mean "max"?'),
    "field that the kind lacks": (
        instead('token=T"', 'token=T"\nformat = "raw"'),
        14,
        "targets[0].format",
        "only http targets have it",
    ),
    "field that the provider lacks": (
        instead('verify = "github"', 'verify = "github"\nprefix = "a"'),
        4,
        "sources[0].prefix",
        "only hmac sources have it",
    ),
    "unknown kind": (instead('"google_chat"', '"gogle_chat"'), 12, "targets[0].kind", 'did you mean "google_chat"?'),
    "unknown provider": (instead('verify = "github"', 'verify = "gitub"'), 3, "sources[0].verify", '"github"?'),
    "no provider": (instead('verify = "github"\n', ""), 1, "sources[0].verify", "is missing (one of: alertmanager"),
    "kind that is no text": (instead('"google_chat"', "7"), 12, "targets[0].kind", "should be text"),
    "no name": (instead('name = "shop"\n', ""), 6, "databases[0].name", "is missing"),
    "bad name": (instead('"shop"', '"the shop"'), 7, "databases[0].name", "letters, digits"),
    "name that is no text": (instead('"shop"', "7"), 7, "databases[0].name", "should be a valid string"),
    "database of another kind": (
        instead('"sqlite:///shop.db"', '"oracle://a@b/c"'),
        8,
        "databases[0].url",
        "postgresql://",
    ),
    "database without a URL": (instead('"sqlite:///shop.db"', '"shop.db"'), 8, "databases[0].url", "sqlite://"),
    "driver of another kind": (
        instead('"sqlite:///shop.db"', '"postgresql+asyncpg://a@b/c"'),
        8,
        "databases[0].url",
        "the relay's driver is psycopg: begin with postgresql://",
    ),
    "name used twice": (
        GOOD + '[[databases]]\nname = "shop"\nurl = "sqlite://"\n',
        30,
        "databases[1].name",
        "first on line 7",
    ),
    "bad duration": (instead('"1s"', '"1 second"'), 20, "targets[1].retry.first", "a duration is a number and a unit"),
    "duration without end": (instead('"1h"', '"9999999d"'), 20, "targets[1].retry.max", "at most 3650d"),
    "bare number for a duration": (instead("retry =", "timeout = 15\nretry ="), 20, "targets[1].timeout", "15s"),
    "bad rate": (instead("retry =", 'rate = "fast"\nretry ='), 20, "targets[1].rate", "a rate is a number"),
    "bad duration in a list": (
        instead('retry = { first = "1s", factor = 2, max = "1h", attempts = 20 }', 'retry = [\n "5s",\n "5x",\n]'),
        22,
        "targets[1].retry[1]",
        "a duration is a number and a unit",
    ),
    "no choice": (instead("retry =", 'order = "some"\nretry ='), 20, "targets[1].order", "'none' or 'subject'"),
    "no number": (instead("retry =", 'concurrency = "x"\nretry ='), 20, "targets[1].concurrency", "valid integer"),
    "missing environment variable": (instead('"sqlite:///shop.db"', '"env:MISSING"'), 8, "databases[0].url", "MISSING"),
    "missing secret file": (instead('"old secret"', '"file:/none/such"'), 4, "sources[0].secret[1]", "cannot be read"),
    "missing single secret": (
        instead('["env:NEW_SECRET", "old secret"]', '"env:MISSING"'),
        4,
        "sources[0].secret",
        "MISSING",
    ),
    "empty list of secrets": (instead('["env:NEW_SECRET", "old secret"]', "[]"), 4, "sources[0].secret", "at least 1"),
    "no secret": (instead('secret = ["env:NEW_SECRET", "old secret"]\n', ""), 1, "sources[0].secret", "is missing"),
    "bad URL": (instead("https://billing", "ftp://billing"), 18, "targets[1].url", "https://"),
    "unknown target": (
        instead('"ops-room", "billing"]', '"ops-room",\n "biling"]'),
        28,
        "routes[0].to[1]",
        '"billing"?',
    ),
    "target named twice": (
        instead('["ops-room", "billing"]', '["billing", "billing"]'),
        27,
        "routes[0].to[1]",
        "twice",
    ),
    "route to nowhere": (instead('["ops-room", "billing"]', "[]"), 27, "routes[0].to", "at least 1"),
    "unknown fallback": (instead('fallback = "ops-room"', 'fallback = "ops"'), 21, "targets[1].fallback", "no target"),
    "fallback to itself": (
        instead('fallback = "ops-room"', 'fallback = "billing"'),
        21,
        "targets[1].fallback",
        "its own",
    ),
    "bad condition": (instead("== 'paid'", "WRONG"), 26, "routes[0].when", "cannot compile when"),
    "bad template": (instead("data.after.id", "WRONG"), 28, "routes[0].text", "cannot compile text"),
    "bad thread": (GOOD + 'thread = """\n{{\nWRONG }}"""\n', 29, "routes[0].thread", "cannot compile thread"),
    "link that is no address": (
        GOOD + 'stop = true\nlink = "/orders/{{ data.after.id }}"\n',
        30,
        "routes[0].link",
        'it begins with "/orders/": an address begins with https:// or http://',
    ),
    "bad key of a digest": (
        GOOD + 'digest = { window = "30s", key = "WRONG" }\n',
        29,
        "routes[0].digest.key",
        "cannot compile digest",
    ),
    "bad key of a dedupe": (
        GOOD + 'dedupe = { window = "10m", key = "WRONG" }\n',
        29,
        "routes[0].dedupe.key",
        "cannot compile dedupe",
    ),
    "digest without a window": (GOOD + "digest = { max = 5 }\n", 29, "routes[0].digest.window", "is missing"),
    "digest of nothing": (
        GOOD + 'digest = { window = "0s" }\n',
        29,
        "routes[0].digest.window",
        "greater than or equal",
    ),
    "digest beyond a day": (
        GOOD + 'digest = { window = "25h" }\n',
        29,
        "routes[0].digest.window",
        "less than or equal",
    ),
    "digest of one": (GOOD + 'digest = { window = "1m", max = 1 }\n', 29, "routes[0].digest.max", "greater than or"),
    "unknown key in a dedupe": (GOOD + 'dedupe = { window = "1m", kye = "a" }\n', 29, "routes[0].dedupe.kye", '"key"?'),
    "digest that nobody reads": (
        instead('to = ["ops-room", "billing"]', 'to = ["billing"]\ndigest = { window = "30s" }'),
        28,
        "routes[0].digest",
        "none of its targets is read by people",
    ),
    "digest in an order of its own": (
        instead('token=T"', 'token=T"\norder = "subject"') + 'digest = { window = "30s" }\n',
        30,
        "routes[0].digest",
        '"ops-room" has order = "subject"',
    ),
    "fold in an order of its own": (
        instead('token=T"', 'token=T"\norder = "subject"\nfold = true'),
        10,
        "targets[0]",
        "leave out fold",
    ),
    "fold of what nobody reads": (instead("retry =", "fold = true\nretry ="), 20, "targets[1].fold", "targets have it"),
    "key that needs quotes": (instead("[[routes]]\n", '[[routes]]\n"a b" = 1\n'), 24, 'routes[0]."a b"', "unknown key"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_placed(name: str) -> None:
    """One mistake gives one line: the file, the line in it, the key, and what to do."""
    text, line, key, told = MISTAKES[name]
    (mistake,) = mistakes(text)
    assert mistake.startswith(f"relay.toml:{line}: {key}: ")
    assert told in mistake


def test_all_mistakes_are_told_in_order() -> None:
    """Nobody mends a file one mistake at a time: all are told, from its top to its end."""
    text = instead('"1s"', '"1"').replace('verify = "github"', 'verify = "x"').replace("'paid'", "WRONG")
    text = text.replace("{{ data.after.id }}", "WRONG").replace('name = "shop"', 'name = ""')
    places = [mistake.split(": ")[:2] for mistake in mistakes(text)]
    assert places == [
        ["relay.toml:3", "sources[0].verify"],
        ["relay.toml:7", "databases[0].name"],
        ["relay.toml:20", "targets[1].retry.first"],
        ["relay.toml:26", "routes[0].when"],
        ["relay.toml:28", "routes[0].text"],
    ]


def test_no_mistake_hides_another() -> None:
    """A table that is wrong in one place is still looked at in the others."""
    text = instead('"1s"', '"1"').replace('fallback = "ops-room"', 'fallback = "ops"')
    text = text.replace('types = ["orders.*"]', "types = 7").replace('"billing"]', '"bill"]')
    keys = [mistake.split(": ")[1] for mistake in mistakes(text)]
    assert keys == ["targets[1].retry.first", "targets[1].fallback", "routes[0].types", "routes[0].to[1]"]


def test_a_broken_target_is_still_a_target() -> None:
    """A route to a target that is itself wrong is no second mistake."""
    assert len(mistakes(instead('url = "https://billing.example.com/hooks"\n', ""))) == 1


def test_fallbacks_may_follow_one_another_but_not_in_a_circle() -> None:
    """A dead notice must come to rest somewhere."""
    circle = instead('token=T"', 'token=T"\nfallback = "billing"')
    assert [mistake.split(":")[1] for mistake in mistakes(circle)] == ["14", "22"]
    third = '[[targets]]\nname = "c"\nkind = "http"\nurl = "https://c.example/"\nfallback = "billing"\n'
    assert len(checked(GOOD + third).targets) == 3


def _secret_places() -> Iterator[str]:
    for url in (f'"{SENTINEL}"', '"env:SENTINEL"', f'["{SENTINEL}"]', f'{{ a = "{SENTINEL}" }}'):
        for kind in ("google_chat", "http"):
            yield f'[[targets]]\nname = "a"\nkind = "{kind}"\nurl = {url}\n'
            yield f'[[targets]]\nname = "a b"\nkind = "http"\nurl = "https://a.example/"\nsecret = {url}\n'
            yield f'[[targets]]\nname = "a b"\nkind = "http"\nurl = "https://a.example/"\nheaders = {url}\n'
        yield f'[[databases]]\nname = "a b"\nurl = {url}\n'
        for provider in discover().providers:
            yield f'[[sources]]\nname = "a b"\nverify = "{provider}"\nsecret = {url}\n'


@pytest.mark.parametrize("text", list(_secret_places()))
def test_secrets_are_never_shown(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever a secret stands and whatever is wrong around it, no message repeats it."""
    monkeypatch.setenv("SENTINEL", f"{SENTINEL}\n")
    assert os.environ["SENTINEL"]
    for mistake in mistakes(text):
        assert SENTINEL not in mistake


ODD: st.SearchStrategy[Any] = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.dates() | st.text(max_size=8) | st.just(date.max),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None, database=None)
@given(data=st.data())
def test_whatever_is_written_is_checked(data: st.DataObject) -> None:
    """Any value in any place is right or a mistake that has a place; nothing else comes of it."""
    content = deepcopy(tomllib.loads(GOOD.replace("env:NEW_SECRET", "new")))
    for _ in range(data.draw(st.integers(1, 3))):
        node: Any = content
        while isinstance(node, dict | list) and node:
            key = data.draw(
                st.sampled_from(sorted(node)) if isinstance(node, dict) else st.sampled_from(range(len(node)))
            )
            if data.draw(st.booleans()):
                node[key] = data.draw(ODD)
                break
            node = node[key]
    try:
        check(Document("relay.toml", content, {}), discover(), compile_route)
    except InvalidConfiguration as error:
        problems = error.problems
    else:
        return
    assert problems
    assert all(problem.key and problem.message and "\n" not in str(problem) for problem in problems)


def test_missing_files_are_told(tmp_path: Path) -> None:
    """A file that is not there, or is none, is told by its name."""
    with pytest.raises(InvalidConfiguration, match=r"none\.toml: cannot be read: no such file"):
        read(tmp_path / "none.toml")
    with pytest.raises(InvalidConfiguration, match="cannot be read: is a directory"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("content", "line", "told"),
    [
        (b'[[sources]]\nname = "a\n', 2, "Illegal character"),
        (b"a = 1\n\nb = \n", 3, "Invalid value"),
        (b"a = 1\na = 2\n", 2, "Cannot overwrite"),
        (b'a = """\n\n', 1, "Unterminated string"),
        (b"a = 1\r\nb = \xff\r\n", 2, "not UTF-8"),
        (b"a = " + b"[" * 5000, 0, "nested too deeply"),
    ],
)
def test_what_is_no_toml_is_placed(tmp_path: Path, content: bytes, line: int, told: str) -> None:
    """A file that cannot be parsed is told with the line at which it ends to make sense."""
    path = tmp_path / "relay.toml"
    path.write_bytes(content)
    with pytest.raises(InvalidConfiguration, match=told) as caught:
        read(path)
    assert caught.value.problems[0].line == line
    assert caught.value.problems[0].file == str(path)


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    """Some editors begin a file with a byte order mark."""
    path = tmp_path / "relay.toml"
    path.write_bytes(b'\xef\xbb\xbf[[databases]]\nname = "a"\nurl = "sqlite://"\n')
    assert read(path).content["databases"][0]["name"] == "a"
