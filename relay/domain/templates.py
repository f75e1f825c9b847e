"""Templates in Jinja, sandboxed: the operator's words around values that other people wrote.

A template's own markup stays; every value it prints goes through the target kind's `escape`. The sandbox keeps a
template away from Python, and the bounds here from the usual ways to fill the memory. They are no defence against an
operator who wants to waste time: a template is as trusted as the rest of the configuration.
"""

import json
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Annotated, Any

from jinja2 import ChainableUndefined, TemplateError, TemplateSyntaxError, Undefined, meta, nodes, pass_eval_context
from jinja2 import Template as JinjaTemplate
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup
from pydantic import AfterValidator

from relay.domain.event import Event
from relay.domain.words import shown

Escape = Callable[[str], str]

MAX_TEXT = 1_000_000
"""Most characters a template may print. A target cuts at its own limit: it must know how much there was."""

MAX_RANGE = 1_000
MAX_REPEAT = 10_000
MAX_EXPONENT = 64

KNOWN = frozenset({"event", "data"})

# HTML's filters would mark values as safe, chance would make two renderings differ, padding fills the memory.
_REMOVED = ("safe", "e", "escape", "forceescape", "urlize", "xmlattr", "random", "center", "indent", "pprint")
_PADDING = frozenset({"center", "ljust", "rjust", "zfill", "expandtabs", "format", "format_map"})
_WIDE = re.compile(r"%[^%a-zA-Z]*(?:\*|\d{4,})")
_FAILURES = (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError, RuntimeError)


class TemplateFailed(ValueError):
    """The template could not be filled in with this event."""


def json_text(value: str) -> str:
    """Escape a value that stands between the quotes of a JSON template; what `tojson` prints there is left alone."""
    return json.dumps(value, ensure_ascii=False)[1:-1]


class Template:
    """A compiled template. Raises `ValueError`, in one line, for bad syntax and for names it cannot know."""

    def __init__(self, source: str) -> None:
        environment = _environment(str)
        try:
            tree = environment.parse(source)
            self._code = environment.compile(source)
        except TemplateSyntaxError as error:
            raise ValueError(f"{error.message} (line {error.lineno})") from None
        except (SyntaxError, RecursionError, MemoryError):
            raise ValueError("it is nested too deeply") from None
        _check(tree, environment)
        self._templates: dict[Escape, JinjaTemplate] = {}

    def render(self, event: Event, escape: Escape) -> str:
        """Return the words for this event, its values escaped. Raises `TemplateFailed`, in one line."""
        template = self._templates.get(escape)
        if template is None:
            environment = _environment(escape)
            template = JinjaTemplate.from_code(environment, self._code, environment.make_globals(None))
            self._templates[escape] = template
        try:
            return "".join(_bounded(template.generate(event=event.facts, data=event.data)))
        except _FAILURES as error:
            words = str(error).partition("\n")[0]
            raise TemplateFailed(words or type(error).__name__) from None


def _bounded(pieces: Iterator[str]) -> Iterator[str]:
    printed = 0
    for piece in pieces:
        printed += len(piece)
        if printed > MAX_TEXT:
            raise SecurityError(f"it prints more than {MAX_TEXT:,} characters")
        yield piece


def _check(tree: nodes.Template, environment: "_Environment") -> None:
    if any(tree.find(kind) for kind in (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
        raise ValueError("a template cannot include another")
    if unknown := meta.find_undeclared_variables(tree) - KNOWN - environment.globals.keys():
        raise ValueError(f"unknown name {', '.join(sorted(unknown))}: a template knows `event` and `data`")


def _compiles(source: str) -> str:
    Template(source)
    return source


TemplateText = Annotated[str, AfterValidator(_compiles)]
"""A field of the configuration that is a template: one that does not compile is refused."""


class _Environment(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"*", "**", "%"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Look into the data first: a column may be called `items` or `values`."""
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Refuse what pads text to any width."""
        return not (isinstance(obj, str) and attr in _PADDING) and super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> Any:
        """Wrap nothing: `format` is refused with the rest of what pads, there is a filter of that name."""

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Refuse operations whose result is far larger than what goes in."""
        match operator, left, right:
            case "*", str() | list() | tuple(), int():
                _bound(len(left) * right, MAX_REPEAT)
            case "*", int(), str() | list() | tuple():
                _bound(len(right) * left, MAX_REPEAT)
            case "**", _, int() | float():
                _bound(abs(right), MAX_EXPONENT)
            case "%", str(), _:
                _check_widths(left)
        return super().call_binop(context, operator, left, right)


def _bound(size: float, limit: int) -> None:
    if size > limit:
        raise SecurityError(f"a result this large is refused: {limit:,} at most")


def _check_widths(pattern: str) -> None:
    if _WIDE.search(pattern):
        raise SecurityError("a width of four digits or more is refused")


def _range(*bounds: int) -> range:
    numbers = range(*bounds)
    _bound(len(numbers), MAX_RANGE)
    return numbers


def _format(pattern: str, *values: Any) -> str:
    _check_widths(pattern)
    return pattern % values


def _tojson(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _json_value(value: Any) -> Markup:
    return Markup(_tojson(value))  # noqa: S704


@lru_cache(maxsize=64)
def _environment(escape: Escape) -> _Environment:
    """Return the environment whose values go through `escape`; what macros and blocks print is escaped already."""

    # Being passed the context keeps Jinja from folding constants, which it would escape as HTML.
    @pass_eval_context
    def finalize(_context: Any, value: Any) -> Markup:
        if isinstance(value, Markup):
            return value
        if value is None or isinstance(value, Undefined):
            return Markup()
        return Markup(escape(value if isinstance(value, str) else shown(value)))  # noqa: S704

    environment = _Environment(
        autoescape=True, optimized=False, undefined=ChainableUndefined, finalize=finalize, keep_trailing_newline=False
    )
    for name in _REMOVED:
        del environment.filters[name]
    environment.filters |= {"format": _format, "tojson": _json_value if escape is json_text else _tojson}
    del environment.globals["lipsum"]
    environment.globals["range"] = _range
    return environment
