"""The command line where nothing runs: what is wrong is said in one line, and nothing is touched."""

import json
from pathlib import Path

import pytest

from relay import __version__
from tests.support.relay import RunningRelay

WRONG = """
[[sources]]
name = "anybody"
verify = "none"
colour = "red"

[[targets]]
name = "hook"
kind = "carrier-pigeon"

[[routes]]
name = "all"
when = "data.("
to = ["nobody"]
"""

RIGHT = """
[[sources]]
name = "anybody"
verify = "none"

[[targets]]
name = "hook"
kind = "http"
url = "https://example.com/hook"

[[routes]]
name = "all"
to = ["hook"]

[[routes]]
name = "some"
sources = ["anybody"]
to = ["hook"]
"""


@pytest.fixture
def relay(tmp_path: Path) -> RunningRelay:
    """A relay of which nothing runs, on an SQLite file that is not there yet."""
    return RunningRelay(tmp_path)


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> RunningRelay:
    """The same, migrated."""
    relay = RunningRelay(tmp_path_factory.mktemp("cli"))
    relay.cli("migrate").succeeds()
    return relay


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("events", "--colour"), "--colour"),
        (("dance",), "dance"),
        (("events", "--limit", "0"), "--limit"),
        (("events", "--since", "yesterday"), "since"),
        (("deliveries", "--state", "lost"), "state"),
        (("replay",), "replay"),
        (("emit",), "TYPE"),
        (("emit", ""), "event type"),
        (("emit", "told", "--source", ""), "source"),
        (("emit", "told", "--data", "{"), "JSON"),
        (("emit", "told", "--data", "NaN"), "NaN"),
        (("emit", "told", "--data", "1e999"), "too large"),
        (("emit", "told", "--data", "@/nowhere/at-all"), "/nowhere/at-all"),
        (("check", "/nowhere/relay.toml"), "/nowhere/relay.toml"),
        (("apply",), "relay.toml"),
        (("migrate", "9999"), "9999"),
        (("web", "--port", "99999"), "--port"),
        (("worker", "--pool", "bogus"), "'--pool': 'bogus' is not one of 'prefork'"),
        (("worker", "--workers", "0"), "'--workers': should be greater than or equal to 1"),
    ],
)
def test_wrong_usage(migrated: RunningRelay, words: tuple[str, ...], told: str) -> None:
    """Words that do not fit end with status 2 and one line that names them."""
    done = migrated.cli(*words)
    line = done.fails(2)
    assert told in line
    assert "Value error" not in line
    assert done.out == ""


def test_wrong_environment(migrated: RunningRelay) -> None:
    """A variable that cannot be read is named, its value is not."""
    for name, value in (("RELAY_LOG", "s3cret"), ("RELAY_DATABASE_URL", "s3cret"), ("RELAY_SECRET_KEYS", "s3cret")):
        (migrated.directory / "relay.toml").write_text('[[sources]]\nname = "a"\nverify = "none"\n')
        line = migrated.cli("apply", env={name: value}).fails(2)
        assert name in line
        assert "s3cret" not in line


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("RELAY_BROKER_URL", "http://x", "RELAY_BROKER_URL: the URL begins with one of redis://"),
        ("RELAY_SECRET_KEYS", "x", "RELAY_SECRET_KEYS: it holds what is no Fernet key: 32 random bytes in URL-safe"),
        ("RELAY_SANDBOX", "maybe", "RELAY_SANDBOX: should be a valid boolean"),
    ],
)
def test_a_variable_is_told_in_plain_words(migrated: RunningRelay, name: str, value: str, told: str) -> None:
    """What is wrong with a variable follows its name, without how a library speaks of values."""
    assert migrated.cli("events", env={name: value}).fails(2).startswith(told)


@pytest.mark.parametrize("role", ["up", "web", "worker", "beat", "migrate", "events"])
def test_keys_that_are_none(migrated: RunningRelay, role: str) -> None:
    """A key that cannot seal is told of at the start of whatever is started, not when it is first needed."""
    line = migrated.cli(role, env={"RELAY_SECRET_KEYS": "s3cret"}).fails(2)
    assert "RELAY_SECRET_KEYS" in line
    assert "s3cret" not in line


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_database_that_is_not_migrated(tmp_path: Path, kind: str, request: pytest.FixtureRequest) -> None:
    """Every command says what to do, in one line; the doctor says it too."""
    url = request.getfixturevalue("pg_database") if kind == "postgresql" else None
    relay = RunningRelay(tmp_path, database=url)
    if url is None:
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "relay.sqlite3").touch()
    for words in (("events",), ("emit", "told"), ("send", "hook")):
        assert "relay migrate" in relay.cli(*words).fails(1)
    done = relay.cli("doctor", "--json")
    assert done.status == 1
    failed = {one["check"]: one["detail"] for one in done.json()["checks"] if not one["ok"]}
    assert "relay migrate" in failed["migrations"]


def test_what_is_run_says_its_version(relay: RunningRelay) -> None:
    """`relay --version` prints one line, wherever it is run."""
    assert relay.anew("--version").succeeds().out == f"relay {__version__}\n"


def test_a_pool_that_is_none_is_refused(relay: RunningRelay) -> None:
    """A worker names the pools it has, in one line, before it starts anything."""
    line = relay.cli("worker", "--pool", "gevent").fails(2)
    assert "--pool" in line
    assert "prefork" in line


def test_looking_makes_nothing(relay: RunningRelay) -> None:
    """Commands that look, on a machine where nothing is, fail in one line and leave no file behind."""
    (relay.directory / "relay.toml").write_text(WRONG)
    for words in (("events",), ("show", "0193d0b0-0000-7000-8000-000000000000"), ("send", "hook")):
        assert "database" in relay.cli(*words).fails(1)
    assert relay.cli("check").status == 2
    assert [path.name for path in relay.directory.iterdir()] == ["relay.toml"]


def test_check_names_every_mistake(relay: RunningRelay) -> None:
    """Each mistake has a line of its own, with file, line and key."""
    (relay.directory / "relay.toml").write_text(WRONG)
    done = relay.cli("check")
    assert (done.status, done.out) == (2, "")
    lines = done.err.strip().splitlines()
    for number, key in ((5, "sources[0].colour"), (9, "targets[0].kind"), (13, "routes[0].when")):
        assert any(line.startswith(f"relay.toml:{number}: {key}") for line in lines), done


def test_one_of_something_is_one(relay: RunningRelay) -> None:
    """What is counted is named as people name it: one source, two routes, no databases."""
    (relay.directory / "relay.toml").write_text(RIGHT)
    assert relay.cli("check").succeeds().out == "relay.toml is valid: 1 source, 0 databases, 1 target, 2 routes\n"
    relay.cli("migrate").succeeds()
    relay.cli("apply").succeeds()
    assert "1 target, 2 routes" in relay.cli("doctor").out
    relay.cli("emit", "told").succeeds()
    assert relay.cli("backtest", "all").succeeds().out.splitlines()[0] == "all: 1 of 1 event matched"


def test_a_plan_before_it_is_applied(migrated: RunningRelay) -> None:
    """A dry run prints what applying prints and changes nothing; secrets are in neither."""
    url = "https://example.com/hooks/the-secret-path"
    configuration = f'[[targets]]\nname = "hook"\nkind = "http"\nurl = "{url}"\n'
    plan = migrated.apply(configuration, "--dry-run").succeeds().out
    assert plan == "+ target hook: http\n"
    assert migrated.apply(configuration, "--json").json()["changes"][0] == {
        "sign": "+",
        "kind": "target",
        "name": "hook",
        "detail": "http",
    }
    assert migrated.apply(configuration).succeeds().out == "no changes\n"
    changed = migrated.apply(configuration.replace("secret-path", "other-path"), "--dry-run").succeeds().out
    assert changed == "~ target hook: url: (changed)\n"


def test_any_script_in_and_out(migrated: RunningRelay) -> None:
    """Text of every script goes in by argument, file and standard input, and comes out the same."""
    text = "Zoë 🚲 \u202e 漢字"
    file = migrated.directory / "daten 🚲.json"
    file.write_text(json.dumps({"text": text}, ensure_ascii=False))
    given = json.dumps({"text": text})
    ids = [
        migrated.json("emit", "told.ü", "--subject", "räder/🚲", "--data", given)["id"],
        migrated.json("emit", "told.ü", "--data", f"@{file}")["id"],
        migrated.cli("emit", "told.ü", "--data", "-", given=given).succeeds().out.strip(),
    ]
    found = {one["id"]: one["data"]["text"] for one in migrated.json("events", "--type", "told.ü")["items"]}
    assert found == dict.fromkeys(ids, text)
    plain = migrated.anew("events", env={"PYTHONIOENCODING": "ascii:backslashreplace", "LC_ALL": "C"})
    assert ids[0] in plain.succeeds().out
