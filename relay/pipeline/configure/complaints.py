"""What is wrong with a table, in words for whoever wrote it. Values are never repeated: some of them are secrets."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from relay.domain.names import NAME
from relay.pipeline.configure.positions import Key

SHOWN = 24
"""As many choices a hint lists; past it, it would not be read."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """One mistake in a table: `key` is its place within the table, empty for the table as a whole."""

    key: Key
    message: str
    hint: str | None = None


def complaints(error: ValidationError, table: Mapping[str, Any], model: type[BaseModel]) -> Iterator[Complaint]:
    """Yield what a model found wrong with a table, one complaint for each place in it."""
    found: dict[Key, list[ErrorDetails]] = {}
    for details in error.errors(include_url=False, include_input=False):
        found.setdefault(_place(details, table), []).append(details)
    for key, several in found.items():
        # A union complains once for each of its members: the one that got furthest into the value says most.
        if not any(len(other) > len(key) and other[: len(key)] == key for other in found):
            yield _complaint(key, several, model)


def suggestion(word: Any, known: Iterable[str]) -> str | None:
    """Return a hint that names the known word nearest to `word`, or else the known ones; `None` if there are none."""
    choices = list(known)
    near = get_close_matches(word, choices, n=1) if isinstance(word, str) else []
    if near:
        return f'did you mean "{near[0]}"?'
    if not choices:
        return None
    more = ", ..." if len(choices) > SHOWN else ""
    return "one of: " + ", ".join(choices[:SHOWN]) + more


def _place(details: ErrorDetails, table: Mapping[str, Any]) -> Key:
    """Return where in the table an error is. A model's own path also names members of unions, which nobody wrote."""
    node: Any = table
    key: Key = ()
    for part in details["loc"]:
        written = part in node if isinstance(node, Mapping) else isinstance(node, list) and part in range(len(node))
        if written:
            node = node[part]
            key = (*key, part)
    return (*key, details["loc"][-1]) if details["type"] == "missing" else key


def _complaint(key: Key, several: list[ErrorDetails], model: type[BaseModel]) -> Complaint:
    for details in several:
        if details["type"] == "extra_forbidden":
            return Complaint(key, "unknown key", suggestion(key[-1], _fields_around(key, model)))
    said = [details for details in several if details["type"] == "value_error"] or several
    return Complaint(key, " or ".join(dict.fromkeys(_message(details) for details in said)))


def _message(details: ErrorDetails) -> str:
    context = details.get("ctx", {})
    match details["type"]:
        case "missing":
            return "is missing"
        case "value_error":
            return str(context["error"])
        case "tuple_type":
            return "should be a list"
        case "too_short" if context["field_type"] != "Dictionary":
            return f"should name at least {context['min_length']}"
        case "string_pattern_mismatch" if context["pattern"] == NAME:
            return "should be 1 to 64 letters, digits, - and _, the first a letter or a digit"
        case _:
            message = details["msg"].removeprefix("Input ")
            return message[:1].lower() + message[1:]


def _fields_around(key: Key, model: type[BaseModel]) -> list[str]:
    """Return the names that may stand where `key` does: the model's fields, or those of a model in one of them."""
    if len(key) == 1:
        return written_names(model)
    (outer,) = (field for name, field in model.model_fields.items() if str(key[0]) in (name, field.alias))
    return [name for inner in _models_in(outer.annotation) for name in written_names(inner)]


def written_names(model: type[BaseModel]) -> list[str]:
    """Return the names of a model's fields as people write them."""
    return [field.alias or name for name, field in model.model_fields.items()]


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        nested = [model for field in annotation.model_fields.values() for model in _models_in(field.annotation)]
        # A model around another, such as a schedule around its backoff, stands for the one people write.
        yield from nested or [annotation]
    else:
        for argument in get_args(annotation):
            yield from _models_in(argument)
