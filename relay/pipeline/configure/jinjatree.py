"""Which fields of its variables a template looks at, read from Jinja's own tree of it."""

from collections.abc import Iterator

from jinja2 import Environment, TemplateSyntaxError, nodes

from relay.pipeline.configure.celtree import Path

_ENVIRONMENT = Environment()  # noqa: S701  it parses, and renders nothing

Names = dict[str, Path]
"""What a template calls something else: `{% set order = data.after %}`."""

_SILENT = (nodes.Assign, nodes.AssignBlock, nodes.Macro, nodes.ExprStmt)


def paths(source: str) -> Iterator[Path]:
    """Yield each path that a template looks at, and `data.changed` with a name that is sought in it.

    Raises `ValueError` for what is no template.
    """
    tree = _parsed(source)
    yield from _walk(tree, _renamed(tree))


def pieces(source: str) -> Iterator[str | None]:
    """Yield what a template prints, in its order: text that is always there, `None` for what an event gives.

    Raises `ValueError` for what is no template.
    """
    for node in _parsed(source).body:
        if isinstance(node, nodes.Output):
            yield from (part.data if isinstance(part, nodes.TemplateData) else None for part in node.nodes)
        elif not isinstance(node, _SILENT):
            yield None


def _parsed(source: str) -> nodes.Template:
    try:
        return _ENVIRONMENT.parse(source)
    except TemplateSyntaxError as error:
        raise ValueError(error.message) from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _renamed(tree: nodes.Template) -> Names:
    names: Names = {}
    for found in tree.find_all(nodes.Assign):
        _rename(found.target, found.node, names)
    for block in tree.find_all(nodes.With):
        for target, value in zip(block.targets, block.values, strict=True):
            _rename(target, value, names)
    return names


def _rename(target: nodes.Node, value: nodes.Node, names: Names) -> None:
    if isinstance(target, nodes.Name) and (path := _path(value, names)) is not None:
        names[target.name] = path


def _walk(node: nodes.Node, names: Names) -> Iterator[Path]:
    if (path := _path(node, names)) is not None:
        yield path
        return
    match node:
        case nodes.Call(node=nodes.Getattr(node=owner, attr="get"), args=[nodes.Const(value=str() as key), *_]):
            path = _path(owner, names)
            yield from [(*path, key)] if path is not None else _walk(owner, names)
            yield from (path for part in (*node.args[1:], *node.kwargs) for path in _walk(part, names))
            return
        case nodes.Call(node=nodes.Getattr(node=owner)):
            # A method of the value, such as `items`, is no field of it.
            yield from _walk(owner, names)
            yield from (path for part in (*node.args, *node.kwargs) for path in _walk(part, names))
            return
        case nodes.Compare(expr=nodes.Const(value=str() as name), ops=[nodes.Operand(op="in" | "notin", expr=among)]):
            if (path := _path(among, names)) is not None:
                yield (*path, name)
    for child in node.iter_child_nodes():
        yield from _walk(child, names)


def _path(node: nodes.Node, names: Names) -> Path | None:
    match node:
        case nodes.Name(name=name, ctx="load"):
            return names.get(name, (name,))
        case nodes.Getattr(node=inner, attr=name) | nodes.Getitem(node=inner, arg=nodes.Const(value=str() as name)):
            path = _path(inner, names)
            return None if path is None else (*path, name)
        case _:
            return None
