"""Finds the plug-ins: one provider or target kind a file, found by being there."""

import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import Any

from relay.domain.inbound import Provider
from relay.domain.target import Target

PROVIDERS = "relay.inbound"
TARGETS = "relay.targets"


@dataclass(frozen=True, slots=True)
class Plugins:
    """Every provider and every target kind, by the name that relay.toml knows it under, in alphabetical order."""

    providers: Mapping[str, type[Provider]]
    targets: Mapping[str, type[Target]]


@cache
def discover() -> Plugins:
    """Return what the files of `relay/inbound` (each with a `PROVIDER`) and `relay/targets` (a `TARGET`) hold.

    A package whose kinds share what they say has `TARGETS`, one after the other.
    """
    return Plugins(providers=_found(PROVIDERS, "PROVIDER"), targets=_found(TARGETS, "TARGET"))


def _found(package: str, attribute: str) -> Mapping[str, Any]:
    plugins = {plugin.kind: plugin for plugin in _each(package, attribute)}
    return MappingProxyType(dict(sorted(plugins.items())))


def _each(package: str, attribute: str) -> Iterator[Any]:
    for module in pkgutil.iter_modules(import_module(package).__path__):
        found = import_module(f"{package}.{module.name}")
        yield from getattr(found, f"{attribute}S", None) or (getattr(found, attribute),)
