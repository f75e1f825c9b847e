"""Checks one thing that is given by itself, not in a whole configuration."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from relay.errors import UsageError
from relay.pipeline.configure.check import spelled
from relay.pipeline.configure.complaints import complaints
from relay.secrets import RESOLVE

_Model = TypeVar("_Model", bound=BaseModel)


def single(model: type[_Model], table: Mapping[str, Any], *, under: str = "", resolve: bool = False) -> _Model:
    """Return what a table says. Raises `UsageError` that names every key that is wrong, in one line.

    `under` is where the table stands, such as `route`. `resolve` looks secrets up where `env:` and `file:` say.
    """
    try:
        return model.model_validate(dict(table), context=RESOLVE if resolve else None)
    except ValidationError as error:
        found = []
        for complaint in complaints(error, table, model):
            place = spelled((under, *complaint.key) if under else complaint.key)
            told = f"{place}: {complaint.message}" if place else complaint.message
            found.append(f"{told} ({complaint.hint})" if complaint.hint else told)
        raise UsageError("; ".join(found)) from None
