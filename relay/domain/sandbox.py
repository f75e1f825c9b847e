"""What a template may do: no way to Python, no result out of proportion, no end of time.

Marks made by filters are of a type of their own: joined with anything else they are plain text again, so that a value
from an event cannot travel inside them past its escaping.
"""

import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

MAX_TEXT = 1_000_000
"""Most characters a template may print. A target cuts at its own limit: it must know how much there was."""

MAX_SECONDS = 0.1
"""Time a template may take, of its own thread: waiting for others does not count."""

MAX_RANGE = 1_000
MAX_REPEAT = 10_000
MAX_EXPONENT = 64
MAX_BITS = 4_096
MAX_ITEMS = 200_000

_PADDING = frozenset({"center", "ljust", "rjust", "zfill", "expandtabs", "format", "format_map", "translate"})
_WIDE = re.compile(r"%[^%a-zA-Z]*(?:\*|\d{4,})")


class _Running(threading.local):
    until = float("inf")


_running = _Running()


class Shaped(str):
    """Text with marks that a filter made: printed as it is; whatever is made of it is plain text again."""

    __slots__ = ()


class _Generator(CodeGenerator):
    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802  the name is Jinja's
        self.write("environment.joined((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")


class Sandbox(ImmutableSandboxedEnvironment):
    """An environment that keeps templates within their bounds."""

    intercepted_binops = frozenset({"*", "**", "%", "+"})
    code_generator_class = _Generator

    @staticmethod
    def concat(pieces: Iterable[str]) -> str:
        """Return what a macro or a block printed."""
        return joined(list(pieces))

    @staticmethod
    def joined(parts: Iterable[Any]) -> str:
        """Return the parts of `a ~ b` as one plain text."""
        return joined([plain(part) for part in parts])

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

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        """Call what is safe, while there is time; a text's own methods keep to the bounds of the filters."""
        tick()
        owner = getattr(__obj, "__self__", None)
        if isinstance(owner, str):
            match getattr(__obj, "__name__", ""):
                case "join":
                    return joined([plain(part) for part in args[0]], plain(owner))
                case "replace":
                    return replaced(owner, *args)
                case _ if isinstance(owner, Markup | Shaped):
                    __obj = getattr(plain(owner), __obj.__name__)
        return super().call(__context, __obj, *args, **kwargs)

    def call_filter(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Call a filter for `map` and `select`; nobody is mentioned by way of them."""
        if name == "mention":
            raise SecurityError("mention takes a name that is written in the template")
        return super().call_filter(name, *args, **kwargs)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Refuse operations whose result is far larger than what goes in."""
        left, right = _unmarked(left), _unmarked(right)
        match operator, left, right:
            case "*", str() | list() | tuple(), int():
                bound(len(left) * right, MAX_REPEAT)
            case "*", int(), str() | list() | tuple():
                bound(len(right) * left, MAX_REPEAT)
            case "*", int(), int():
                bound(left.bit_length() + right.bit_length(), MAX_BITS)
            case "**", _, int() | float():
                bound(abs(right), MAX_EXPONENT)
                bound(left.bit_length() * abs(right) if isinstance(left, int) else 0, MAX_BITS)
            case "%", str(), _:
                check_widths(left)
            case "+", str(), str():
                bound(len(left) + len(right), MAX_TEXT)
            case "+", list() | tuple(), list() | tuple():
                bound(len(left) + len(right), MAX_ITEMS)
        return super().call_binop(context, operator, left, right)


def limited(work: Callable[[], Iterator[str]]) -> str:
    """Return what a template prints. Raises `SecurityError` for too much of it, or where it takes too long."""
    _running.until = time.thread_time() + MAX_SECONDS
    printed, pieces = 0, []
    for piece in work():
        printed += len(piece)
        bound_text(printed)
        pieces.append(piece)
    return "".join(pieces)


def tick() -> None:
    """Return if the template that runs in this thread has time left. Raises `SecurityError`."""
    if time.thread_time() > _running.until:
        raise SecurityError(f"it takes longer than {MAX_SECONDS} s")


def counted(items: Iterable[Any]) -> Iterator[Any]:
    """Yield the items of a loop while there is time."""
    for item in items:
        tick()
        yield item


def count_loops(tree: nodes.Template) -> None:
    """Have every loop of a template look at the time. Raises `ValueError` for a loop that calls itself."""
    for loop in tree.find_all(nodes.For):
        if loop.recursive:
            raise ValueError("a loop cannot be recursive: use a macro")
        loop.iter = nodes.Filter(loop.iter, "counted", [], [], None, None, lineno=loop.lineno)


def plain(value: Any) -> str:
    """Return a value as the plain text that it is written with, whatever marks are in it."""
    return str.__str__(value) if isinstance(value, str) else str(value)


def joined(texts: list[str], between: str = "") -> str:
    """Return texts in a row. Raises `SecurityError` where that is too long."""
    bound_text(sum(map(len, texts)) + len(between) * len(texts))
    return between.join(texts)


def replaced(text: Any, old: Any, new: Any, count: int = -1) -> str:
    """Return a text with one part replaced by another. Raises `SecurityError` where that is too long."""
    whole, out, into = plain(text), plain(old), plain(new)
    bound_text(len(whole) + whole.count(out) * len(into))
    return whole.replace(out, into, count)


def bound(size: float, limit: int) -> None:
    """Return if a result of this size is within the limit. Raises `SecurityError`."""
    if size > limit:
        raise SecurityError(f"a result this large is refused: {limit:,} at most")


def bound_text(length: int) -> None:
    """Return if so many characters may be printed. Raises `SecurityError`."""
    if length > MAX_TEXT:
        raise SecurityError(f"it prints more than {MAX_TEXT:,} characters")


def check_widths(pattern: str) -> None:
    """Return if a `%` pattern pads to sensible widths. Raises `SecurityError`."""
    if _WIDE.search(pattern):
        raise SecurityError("a width of four digits or more is refused")


def _unmarked(value: Any) -> Any:
    return plain(value) if isinstance(value, Markup | Shaped) else value


def numbers(*bounds: int) -> range:
    """Return `range`, of a sensible length."""
    told = range(*bounds)
    bound(len(told), MAX_RANGE)
    return told
