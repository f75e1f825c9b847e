"""Templates in Jinja, sandboxed: the operator's words around values that other people wrote.

A template's own markup stays; every value it prints goes through the target kind's `escape`. The sandbox keeps a
template away from Python, its bounds from filling the memory or going on for ever.
"""

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Any

from jinja2 import ChainableUndefined, TemplateError, TemplateSyntaxError, Undefined, meta, nodes, pass_eval_context
from jinja2 import Template as JinjaTemplate
from markupsafe import Markup
from pydantic import AfterValidator

from relay.domain.event import Event
from relay.domain.filters import CAME, filters_of
from relay.domain.money import CURRENCIES, code_of
from relay.domain.sandbox import MAX_TEXT, Sandbox, Shaped, count_loops, limited, numbers
from relay.domain.style import PLAIN, Escape, JsonText, Style
from relay.domain.words import shown

__all__ = ["MAX_TEXT", "Escape", "Template", "TemplateFailed", "TemplateText", "json_text"]

KNOWN = frozenset({"event", "data"})

# HTML's filters would mark values as safe, chance would make two renderings differ, padding fills the memory.
_REMOVED = ("safe", "e", "escape", "forceescape", "urlize", "xmlattr", "random", "center", "indent", "pprint")
_FAILURES = (
    *(TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError, RuntimeError, MemoryError),
)


class TemplateFailed(ValueError):
    """The template could not be filled in with this event."""


json_text = JsonText()
"""Escapes a value between the quotes of a JSON template; what `tojson` prints there is left alone."""


class Template:
    """A compiled template. Raises `ValueError`, in one line, for bad syntax and for names it cannot know."""

    def __init__(self, source: str) -> None:
        environment = _environment(str)
        try:
            tree = environment.parse(source)
            _check(tree)
            # Looking for names folds constants: in a tree of its own.
            _check_names(environment.parse(source), environment)
            count_loops(tree)
            self._code = environment.compile(tree)
        except TemplateSyntaxError as error:
            raise ValueError(f"{error.message} (line {error.lineno})") from None
        except (SyntaxError, RecursionError, MemoryError):
            raise ValueError("it is nested too deeply") from None
        self._templates: dict[tuple[Escape, Style], JinjaTemplate] = {}

    def render(self, event: Event, escape: Escape, style: Style = PLAIN) -> str:
        """Return the words for this event, its values escaped. Raises `TemplateFailed`, in one line."""
        template = self._templates.get((escape, style))
        if template is None:
            environment = _environment(escape, style)
            template = JinjaTemplate.from_code(environment, self._code, environment.make_globals(None))
            self._templates[escape, style] = template
        known = {"event": event.facts, "data": event.data, CAME: event.received_at}
        try:
            return limited(lambda: template.generate(known))
        except _FAILURES as error:
            words = str(error).partition("\n")[0]
            raise TemplateFailed(words or type(error).__name__) from None


def _check(tree: nodes.Template) -> None:
    if any(tree.find(kind) for kind in (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
        raise ValueError("a template cannot include another")
    for each in tree.find_all(nodes.Filter):
        if each.name == "mention" and not _is_written(each.node):
            raise ValueError("mention takes a name that is written in the template, never one from the data")
        if each.name == "money":
            _check_currency(each)


def _check_currency(money: nodes.Filter) -> None:
    named = (*money.args[:1], *(each.value for each in money.kwargs if each.key == "currency"))
    for code in (each.value for each in named if isinstance(each, nodes.Const) and isinstance(each.value, str)):
        if code_of(code) and code_of(code) not in CURRENCIES:
            raise ValueError(f"money knows no currency {code!r}: give a code of ISO 4217, such as 'EUR'")


def _check_names(tree: nodes.Template, environment: Sandbox) -> None:
    if unknown := meta.find_undeclared_variables(tree) - KNOWN - environment.globals.keys():
        raise ValueError(f"unknown name {', '.join(sorted(unknown))}: a template knows `event` and `data`")


def _is_written(node: nodes.Node | None) -> bool:
    """Say whether a value can only be one that the template's writer wrote down."""
    match node:
        case nodes.Const():
            return True
        case nodes.CondExpr():
            return _is_written(node.expr1) and (node.expr2 is None or _is_written(node.expr2))
        case nodes.Getitem(node=nodes.Dict() as table):
            return all(_is_written(pair.value) for pair in table.items)
        case _:
            return False


def _compiles(source: str) -> str:
    Template(source)
    return source


TemplateText = Annotated[str, AfterValidator(_compiles)]
"""A field of the configuration that is a template: one that does not compile is refused."""


def _tojson(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _in_json(inner: Escape) -> Callable[[Any], str]:
    """Return `tojson` for a JSON template: a value with its quotes, the texts in it escaped for their reader."""

    def escaped(value: Any) -> Any:
        match value:
            case str():
                return inner(value)
            case dict():
                return {inner(str(name)): escaped(item) for name, item in value.items()}
            case list() | tuple():
                return [escaped(item) for item in value]
            case _:
                return None if isinstance(value, Undefined) else value

    return lambda value: Shaped(_tojson(escaped(value)))


@lru_cache(maxsize=64)
def _environment(escape: Escape, style: Style = PLAIN) -> Sandbox:
    """Return the environment whose values go through `escape`; what macros and blocks print is escaped already."""

    # Being passed the context keeps Jinja from folding constants, which it would escape as HTML.
    @pass_eval_context
    def finalize(_context: Any, value: Any) -> Markup:
        if isinstance(value, Markup | Shaped):
            return Markup(value)  # noqa: S704
        if value is None or isinstance(value, Undefined):
            return Markup()
        return Markup(escape(value if isinstance(value, str) else shown(value)))  # noqa: S704

    environment = Sandbox(
        autoescape=True, optimized=False, undefined=ChainableUndefined, finalize=finalize, keep_trailing_newline=False
    )
    for name in _REMOVED:
        del environment.filters[name]
    environment.filters |= filters_of(escape, style)
    environment.filters["tojson"] = _in_json(escape.inner) if isinstance(escape, JsonText) else _tojson
    del environment.globals["lipsum"]
    environment.globals["range"] = numbers
    return environment
