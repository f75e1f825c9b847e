"""Numbers are numbers, and true is true: nothing in relay.toml is taken for what it only looks like."""

from collections.abc import Iterator
from typing import Annotated, Any, get_args

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from relay.domain.database import Database
from relay.domain.route import Route
from relay.plugins import discover

NUMBERS = {int, float}
PLAIN = {*NUMBERS, bool}


def parts(annotation: Any) -> Iterator[Any]:
    """Yield a type and what it is made of."""
    yield annotation
    for inner in get_args(annotation):
        yield from parts(inner)


def models(first: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Yield a model and those in its fields."""
    yield first
    for field in first.model_fields.values():
        for part in parts(field.annotation):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from models(part)


def fields() -> Iterator[Any]:
    """Yield each field of a configuration that is a number or a boolean, with its kind."""
    found = discover()
    options = [plugin.Options for kinds in (found.providers, found.targets) for plugin in kinds.values()]
    for model in dict.fromkeys(inner for first in (Route, Database, *options) for inner in models(first)):
        for name, field in model.model_fields.items():
            for kind in PLAIN.intersection(parts(field.annotation)):
                yield pytest.param(field, kind, id=f"{model.__module__}-{model.__name__}-{name}")


@pytest.mark.parametrize(("field", "kind"), list(fields()))
def test_nothing_is_taken_for_a_number(field: FieldInfo, kind: type) -> None:
    """Text is no number, however it reads; true is no 1, and 1 is not true."""
    declared: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    adapter: TypeAdapter[Any] = TypeAdapter(declared)
    for wrong in ("8", "1", "true", "yes", True if kind in NUMBERS else 1):
        with pytest.raises(ValidationError):
            adapter.validate_python(wrong)
