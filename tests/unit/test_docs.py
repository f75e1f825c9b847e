"""The documentation says what the code does."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from sqlalchemy import MetaData, create_engine, select
from starlette.routing import BaseRoute, Mount, Route

from docs.generate import pages
from relay import capture, wiring
from relay.cli import app
from relay.config import Settings
from relay.domain.configuration import Configuration
from relay.domain.database import Database
from relay.domain.event import Event, encode
from relay.domain.inbound import SourceOptions
from relay.domain.person import is_person
from relay.domain.route import Route as RouteOptions
from relay.domain.target import Message, TargetOptions
from relay.pipeline.configure.check import check
from relay.pipeline.configure.document import parse
from relay.pipeline.rendering import compile_route
from relay.plugins import discover

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
README = (ROOT / "README.md").read_text()
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SIGNING = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SPACE = "http://127.0.0.1:8000/sandbox/v1/spaces/ops/messages?key=any&token=any"
HELD = {
    "SIGNING": SIGNING,
    "BOT_TOKEN": "123456:ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "ON_CALL_KEY": "0123456789abcdef" * 2,
    "DATABASE_URL": "postgresql://shop@db.example/shop",
}
"""What an environment variable holds that is named so; any other holds an address."""

BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^ *(?:\.venv/bin/)?relay +([a-z][a-z-]*[^#|>]*)")
LINK = re.compile(r"\]\(([^)#\s]*)(#[^)\s]*)?\)")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def blocks(text: str, language: str) -> list[str]:
    """Return the fenced blocks of a language, in their order."""
    found = [(indent, named, content) for indent, named, content in BLOCK.findall(text) if named == language]
    return [re.sub(f"^{indent}", "", content, flags=re.MULTILINE) for indent, _, content in found]


def block(language: str, beginning: str) -> str:
    """Return the README's block of a language that begins so."""
    (found,) = (content for content in blocks(README, language) if content.startswith(beginning))
    return found


def checked(text: str) -> Configuration:
    """Return the configuration that a page shows."""
    return check(parse(text, "relay.toml"), discover(), compile_route)


def paths(routes: list[BaseRoute], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield method and path of every route, but for static files and what the sandbox's page asks for."""
    for route in routes:
        if isinstance(route, Mount):
            yield from paths(list(route.routes), prefix + route.path)
        elif isinstance(route, Route) and not route.path.startswith("/api/messages"):
            for method in sorted((route.methods or set()) - {"HEAD"}):
                yield method, (prefix + route.path).rstrip("/")


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.name)
def test_generated_pages_are_current(path: Path):
    """What is made from the code is what the code says: `make docs` after changing it."""
    assert path.read_text() == pages()[path], "run `make docs`"


@each_page
def test_links_lead_somewhere(page: Path):
    """Every link to a file of the project finds it."""
    links = [target for target, _ in LINK.findall(page.read_text()) if target and "://" not in target]
    assert [target for target in links if not (page.parent / target).exists()] == []


@each_page
def test_configurations_on_pages_are_valid(page: Path, monkeypatch: pytest.MonkeyPatch):
    """Every piece of relay.toml that a page shows could be applied, with the targets it names."""
    for text in blocks(page.read_text(), "toml"):
        for name in re.findall(r"env:([A-Z_]+)", text):
            monkeypatch.setenv(name, next((held for word, held in HELD.items() if word in name), SPACE))
        named = set(re.findall(r'^name *= *"(.*?)"', text, re.MULTILINE))
        wanted = {
            name
            for names in re.findall(r"^to *= *\[(.*?)\]", text, re.MULTILINE)
            for name in _quoted(names)
            if "@" not in name and not is_person(name)
        }
        missing = "".join(f'[[targets]]\nname = "{name}"\nkind = "http"\nurl = "{SPACE}"\n' for name in wanted - named)
        assert checked(text + missing)


@each_page
def test_commands_on_pages_are_there(page: Path):
    """Whatever a page tells people to type is a command, with options that it has."""
    text = page.read_text()
    shown = [line for *_, content in BLOCK.findall(text) for line in content.splitlines()]
    for words in (found[1] for typed in (*shown, *re.findall(r"`([^`\n]+)`", text)) if (found := COMMAND.match(typed))):
        command: Any = typer.main.get_group(app)
        for word in words.split():
            if inner := getattr(command, "commands", None):
                assert word in inner, words
                command = inner[word]
        known = {name for parameter in command.params for name in parameter.opts}
        assert set(re.findall(r"--[a-z][a-z-]*", words)) <= known | {"--help"}, words


def _quoted(names: str) -> list[str]:
    return re.findall(r'"(.*?)"', names)


@pytest.mark.parametrize("model", [SourceOptions, Database, TargetOptions, RouteOptions])
def test_every_field_is_in_the_reference(model: Any):
    """What may stand in relay.toml is in its reference."""
    reference = (DOCS / "reference" / "configuration.md").read_text()
    assert [name for name in model.model_fields if f"| `{name}` |" not in reference] == []


def test_every_variable_is_in_the_reference():
    """What is read from the environment is in its reference, and nothing else of that name is."""
    reference = (DOCS / "reference" / "environment.md").read_text()
    listed = set(re.findall(r"^\| `(RELAY_\w+)`", reference, re.MULTILINE))
    assert listed - {"RELAY_MASK_KEY"} == {f"RELAY_{name.upper()}" for name in Settings.model_fields}


def test_every_path_is_in_the_reference(tmp_path: Path):
    """What can be requested is in the reference of the HTTP interface."""
    served = wiring.Relay(Settings(data_dir=tmp_path, sandbox=True)).web().routes
    reference = (DOCS / "reference" / "http.md").read_text()
    assert [f"{method} {path}" for method, path in paths(served) if f"`{method} {path or '/'}`" not in reference] == []


def test_the_model_of_the_readme_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The README's application and configuration, run as they stand, make the message that the README names."""
    subprocess.run([sys.executable, "-c", block("python", "# app.py")], cwd=tmp_path, check=True)
    engine = create_engine(f"sqlite:///{tmp_path}/orders.db")
    with engine.connect() as connection:
        rows = connection.execute(select(capture.outbox(MetaData())).order_by("seq")).all()
    engine.dispose()
    monkeypatch.setenv("OPS_ROOM_URL", SPACE)
    (paid,) = map(compile_route, checked(block("toml", "# relay.toml")).routes)
    events = [Event(row.id, row.source, row.type, NOW, NOW, row.data.encode()) for row in rows]
    assert [paid.text(event, str) for event in events if paid.reason(event) is None] == ["Order *1* is paid: 42"]


def test_the_target_of_the_readme_is_complete():
    """The README's target makes the request of its fixture and judges replies as the fixture says."""
    module: dict[str, Any] = {"__name__": "relay.targets.ntfy"}
    exec(compile(block("python", "# relay/targets/ntfy.py"), "ntfy.py", "exec"), module)
    (fixture,) = map(json.loads, blocks(README, "json"))
    kind = module["TARGET"]
    target = kind(kind.Options.model_validate({"name": "phone", "kind": kind.kind, **fixture["options"]}))
    given = fixture["given"]
    event = Event("e1", given["source"], given["type"], NOW, NOW, encode(given["data"]))
    request = target.render(Message("e1_phone", event, NOW, text=given["text"])).prepare()
    assert (request.url, request.body) == (fixture["sends"]["url"], fixture["sends"]["body"].encode())
    assert len(kind.__doc__.split()) > 20
