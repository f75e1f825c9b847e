"""Makes the pages that the code itself is the source of: `python -m docs.generate`."""

import inspect
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel, SecretStr

from relay.cli import app
from relay.domain.inbound import SourceOptions
from relay.domain.target import TargetOptions
from relay.plugins import discover

REFERENCE = Path(__file__).parent / "reference"

PLUGINS = """\
# Providers and target kinds

Made from the docstrings in `relay/inbound` and `relay/targets` by `make docs`: change those, not this page.
Fields that every source or target may have are in [configuration.md](configuration.md); the tables here hold what a
provider or a kind adds, or sets otherwise.
"""

COMMANDS = """\
# The command line: `relay`

Made from `relay/cli` by `make docs`: change that, not this page.

Exit status: 0 done, 1 failed, 2 wrong usage or invalid configuration. With `--json` a command prints one JSON document
on standard output and nothing else; errors go to standard error, in one line. Commands read the same
[environment](environment.md) as the roles do: in the directory where `relay up` runs, they need nothing.
`relay --version` prints the version.
"""


def pages() -> dict[Path, str]:
    """Return each page's Markdown by its file."""
    return {REFERENCE / "plugins.md": plugins_page(), REFERENCE / "cli.md": commands_page()}


def plugins_page() -> str:
    """Return the page of all plug-ins."""
    plugins = discover()
    return "\n".join(
        (
            PLUGINS,
            *_section("Providers: `verify` of a source", plugins.providers, SourceOptions),
            *_section("Kinds: `kind` of a target", plugins.targets, TargetOptions),
        )
    )


def commands_page() -> str:
    """Return the page of all commands, in the order of `relay --help`."""
    commands = typer.main.get_group(app).commands.values()
    return "\n".join((COMMANDS, *(line for command in commands for line in _command(command))))


def _section(title: str, plugins: Mapping[str, type[Any]], base: type[BaseModel]) -> Iterator[str]:
    yield f"## {title}\n"
    for kind, plugin in plugins.items():
        yield f"### `{kind}`\n"
        yield f"{inspect.getdoc(plugin)}\n"
        if rows := list(_rows(plugin.Options, base)):
            yield "| field | default |\n|---|---|"
            yield from rows
            yield ""


def _rows(options: type[BaseModel], base: type[BaseModel]) -> Iterator[str]:
    """Yield a row for each field that `base` lacks, or for which it has another default."""
    own, common = _defaults(options), _defaults(base)
    for name, default in own.items():
        if name not in common or common[name] != default:
            yield f"| `{name}` | {default} |"


def _defaults(options: type[BaseModel]) -> dict[str, str]:
    """Return each field's default as relay.toml would say it."""
    known = options.model_construct().model_dump(mode="json", warnings=False, by_alias=False)
    # A default is nobody's secret, whatever its field may hold.
    open_ = {
        name: field.default.get_secret_value()
        for name, field in options.model_fields.items()
        if isinstance(field.default, SecretStr)
    }
    return {
        field.alias or name: "required" if field.is_required() else _written({**known, **open_}[name])
        for name, field in options.model_fields.items()
    }


def _written(value: Any) -> str:
    if isinstance(value, dict) and value.keys() == {"delays", "backoff"}:
        value = value["backoff"] or value["delays"]
    return "" if value is None or value in ("", {}, []) else f"`{_toml(value)}`"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_toml(inner)}" for name, inner in value.items()) + " }"
    return json.dumps(value)


def _command(command: Any, before: str = "relay") -> Iterator[str]:
    if inner := getattr(command, "commands", None):
        for one in inner.values():
            yield from _command(one, f"{before} {command.name}")
        return
    shown = [parameter for parameter in command.params if parameter.name != "help"]
    arguments = [parameter for parameter in shown if parameter.param_type_name == "argument"]
    words = [_argument(parameter) for parameter in arguments]
    options = [parameter for parameter in shown if parameter.param_type_name == "option"]
    yield f"## `{' '.join((before, command.name, *words))}`\n"
    yield f"{inspect.cleandoc(command.help)}\n"
    if shown:
        yield "| | | default |\n|---|---|---|"
        for parameter, word in zip(arguments, words, strict=True):
            yield _row(word, parameter)
        for parameter in options:
            yield _row(_option(parameter), parameter)
        yield ""


def _argument(parameter: Any) -> str:
    word = str(parameter.metavar or parameter.name.upper())
    return word if parameter.required or word.startswith("[") else f"[{word}]"


def _option(parameter: Any) -> str:
    return parameter.opts[0] if parameter.is_flag else f"{parameter.opts[0]} {parameter.name.strip('_').upper()}"


def _row(word: str, parameter: Any) -> str:
    default = parameter.default
    plain = isinstance(default, str | int) and not isinstance(default, bool)
    bounds = "" if parameter.min is None else f" ({parameter.min} to {parameter.max})"
    needed = "required" if parameter.required and parameter.param_type_name == "option" else ""
    cells = (f"`{word}`", f"{parameter.help or ''}{bounds}", f"`{default}`" if plain else needed)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text)
