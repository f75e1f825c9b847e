"""Which fields of its variables a CEL expression looks at, read from the tree that CEL itself makes of it.

The tree comes as a `cel.expr.CheckedExpr` in Protocol Buffers' wire format; the numbers below are the fields' own
(https://github.com/google/cel-spec, `proto/cel/expr/syntax.proto`).
"""

from collections.abc import Iterator

from cel_expr_python import cel

Path = tuple[str, ...]
"""A variable and the names that lead from it: `("data", "after", "status")`."""

Fields = dict[int, list[bytes]]

_ENVIRONMENT = cel.NewEnv(variables={"event": cel.Type.DYN, "data": cel.Type.DYN})

_ANY_VALUE, _CHECKED_EXPR = 2, 4
_CONST, _IDENT, _SELECT, _CALL, _LIST, _STRUCT, _COMPREHENSION = range(3, 10)
_CONST_STRING = 6
_NAME = 1
_OPERAND, _FIELD = 1, 2
_TARGET, _FUNCTION, _ARGS = 1, 2, 3
_INDEX = ("_[_]", "_[?_]")
_IN = ("@in", "_in_", "in")


def paths(source: str) -> Iterator[Path]:
    """Yield each path that an expression looks at, in `has()` too; and `data.changed` with a name that is sought in it.

    Raises `ValueError` for what is no CEL.
    """
    try:
        packed = _ENVIRONMENT.compile(source).serialize()
    except RuntimeError as error:
        raise ValueError(str(error).partition("\n")[0]) from None
    yield from _walk(_fields(_fields(_fields(packed)[_ANY_VALUE][0])[_CHECKED_EXPR][0]))


def _walk(node: Fields) -> Iterator[Path]:
    if (path := _path(node)) is not None:
        yield path
        return
    yield from _sought(node)
    for child in _children(node):
        yield from _walk(child)


def _path(node: Fields) -> Path | None:
    """Return the path that a node is; `None` for any other node."""
    if _IDENT in node:
        return (_text(_fields(node[_IDENT][0]), _NAME),)
    if _SELECT in node:
        select = _fields(node[_SELECT][0])
        operand = _path(_fields(select[_OPERAND][0]))
        return None if operand is None else (*operand, _text(select, _FIELD))
    function, parts = _call(node)
    if function in _INDEX and len(parts) == 2:
        operand, name = _path(parts[0]), _string(parts[1])
        return None if operand is None or name is None else (*operand, name)
    return None


def _sought(node: Fields) -> Iterator[Path]:
    function, parts = _call(node)
    if function in _IN and len(parts) == 2:
        name, among = _string(parts[0]), _path(parts[1])
        if name is not None and among is not None:
            yield (*among, name)


def _call(node: Fields) -> tuple[str | None, list[Fields]]:
    if _CALL not in node:
        return None, []
    call = _fields(node[_CALL][0])
    return _text(call, _FUNCTION), [_fields(part) for part in (*call.get(_TARGET, ()), *call.get(_ARGS, ()))]


def _string(node: Fields) -> str | None:
    if _CONST not in node:
        return None
    constant = _fields(node[_CONST][0])
    return _text(constant, _CONST_STRING) if _CONST_STRING in constant else None


def _children(node: Fields) -> Iterator[Fields]:
    """Yield the expressions within a node; what else its messages hold is no expression and yields nothing itself."""
    if _SELECT in node:
        yield _fields(_fields(node[_SELECT][0])[_OPERAND][0])
    if _CALL in node:
        yield from _call(node)[1]
    if _LIST in node:
        yield from map(_fields, _fields(node[_LIST][0]).get(1, ()))
    for entry in _fields(node[_STRUCT][0]).get(2, ()) if _STRUCT in node else ():
        yield from (_fields(part) for number in (3, 4) for part in _fields(entry).get(number, ()))
    if _COMPREHENSION in node:
        parts = _fields(node[_COMPREHENSION][0])
        yield from (_fields(part) for number in (2, 4, 5, 6, 7) for part in parts.get(number, ()))


def _text(fields: Fields, number: int) -> str:
    return fields[number][0].decode() if number in fields else ""


def _fields(message: bytes) -> Fields:
    """Return the length-delimited fields of a message, by number; the others say nothing of interest."""
    found: Fields = {}
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        match tag & 7:
            case 0:
                _, at = _varint(message, at)
            case 1:
                at += 8
            case 5:
                at += 4
            case _:
                length, at = _varint(message, at)
                found.setdefault(tag >> 3, []).append(message[at : at + length])
                at += length
    return found


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7
