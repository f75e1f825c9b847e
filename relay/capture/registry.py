"""What is watched: which models, and which of their columns leave the process, in which form."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Literal, get_args
from weakref import WeakKeyDictionary

from sqlalchemy import Column, Table, event
from sqlalchemy.orm import Mapper, QueryableAttribute, class_mapper
from sqlalchemy.orm.exc import UnmappedClassError

from relay.capture.dialects import coarse
from relay.capture.errors import CaptureError
from relay.capture.labels import Naming, mistake, naming, wish
from relay.capture.outbox import find
from relay.capture.values import ABSENT, ATOMS, STEADY, Export, check, cut, exporter, masked, plain

Take = Callable[[Mapping[str, Any]], tuple[Any, ...]]
"""Returns some of an object's attributes, which are all there."""

Choice = str | QueryableAttribute[Any]
"""A column, by its name, its attribute's name, or the attribute itself: `"email"` or `Customer.email`."""


Bulk = Literal["expand", "summary", "refuse"]
"""What becomes of a statement that goes around objects: an event for each row, one for it all, or an error."""


@dataclass(frozen=True)
class Watch:
    """What `watch` was told of one model; names are those of columns and of attributes alike."""

    only: frozenset[str] | None
    exclude: frozenset[str]
    mask: frozenset[str]
    bulk: Bulk = "expand"

    def takes(self, key: str, column: Column[Any]) -> bool:
        """Say whether this column may leave the process."""
        names = {key, column.name}
        if names & self.exclude or wish(column) == "exclude":
            return False
        return self.only is None or bool(names & self.only)

    def masks(self, key: str, column: Column[Any]) -> bool:
        """Say whether this column leaves as a keyed hash."""
        return bool({key, column.name} & self.mask) or wish(column) == "mask"


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """One column of a model: `name` in the event, `key` of the attribute.

    A `deferred` column is not read for an event unless it changed; a `volatile` one is written by the database itself.
    A value of a `direct` one leaves in the form that its Python type has in JSON.
    """

    name: str
    key: str
    column: Column[Any]
    export: Export
    mask: bool
    deferred: bool
    volatile: bool
    direct: bool

    def show(self, value: Any) -> Any:
        """Return a value of the column as it leaves the process."""
        exported = self.export(value)
        return masked(exported) if self.mask else cut(exported)


@dataclass(frozen=True, eq=False)
class Shape:
    """How rows of one mapped class become events: the table that names them, their fields, and their outbox."""

    mapper: Mapper[Any]
    table: str
    fields: tuple[Field, ...]
    keys: tuple[str, ...]
    outbox: Table
    take: Take
    """Returns the values of the fields."""
    identify: Take
    """Returns the values of the primary key."""
    blank: dict[str, Any]
    """The fields' attributes, each absent."""
    atoms: frozenset[type]
    """Types whose values never change."""
    steady: bool
    """Whether no column takes values that could change."""
    namings: Mapping[str, Naming]
    """What people call the fields and their values, for those of which the model says so."""
    coarse: tuple[Field, ...]
    """Moments of which some databases keep no microseconds."""

    def keep(self, f: Field, value: Any) -> Any:
        """Return a field's value, or a copy of it where it could still change."""
        return value if type(value) in self.atoms else f.export(value)


_watched: WeakKeyDictionary[type, Watch] = WeakKeyDictionary()
_shapes: dict[Mapper[Any], Shape] = {}
# By the table itself, and by its name for another description of the same table.
_tables: dict[Table | str, Mapper[Any]] = {}

caches: list[dict[Any, Any]] = [_tables]
"""What is known of watched tables; emptied when there may be more of them."""


def register(
    model: type, only: Iterable[Choice] | None, exclude: Iterable[Choice], mask: Iterable[Choice], bulk: Bulk
) -> bool:
    """Remember what to watch of `model`; say whether it is new. Raises `CaptureError` for what cannot be watched."""
    if bulk not in get_args(Bulk):
        raise CaptureError(f"bulk is {_listed(get_args(Bulk))}, not {bulk!r}")
    mapper = _mapper(model)
    _name(mapper.local_table)
    known = _columns(mapper)
    told = Watch(
        None if only is None else _names(model, known, only),
        _names(model, known, exclude),
        _names(model, known, mask),
        bulk,
    )
    for key, column in known.items():
        _check(mapper, told, key, column)
    new = model not in _watched
    _watched[model] = told
    _shapes.clear()
    _forget()
    return new


def _forget() -> None:
    for cache in caches:
        cache.clear()


def watched(mapper: Mapper[Any]) -> Watch | None:
    """Return what `watch` was told of a class or of the nearest one that it inherits from; `None` for neither."""
    return next((_watched[parent.class_] for parent in mapper.iterate_to_root() if parent.class_ in _watched), None)


def models() -> frozenset[type]:
    """Return all classes that are watched."""
    return frozenset(_watched)


def shapes(models: Iterable[type]) -> list[Shape]:
    """Return the shapes of watched classes, by the names of their tables."""
    return sorted((shape(class_mapper(model)) for model in models), key=lambda kind: kind.table)


def mapper_of(table: Table) -> Mapper[Any] | None:
    """Return the class whose rows a table holds; `None` when nobody watches any of them."""
    _look()
    return _tables.get(table) or _tables.get(table.fullname)


def tables() -> frozenset[str]:
    """Return the full names of all tables that hold rows of watched classes."""
    _look()
    return frozenset(name for name in _tables if isinstance(name, str))


def _look() -> None:
    if not _tables and _watched:
        for model in list(_watched):
            for mapper in class_mapper(model, configure=False).self_and_descendants:
                _tables.update(_homes(mapper))


def _homes(mapper: Mapper[Any]) -> dict[Table | str, Mapper[Any]]:
    # From the class to the root: of several in one table, the last is the one all of them inherit from.
    return {
        name: parent
        for parent in mapper.iterate_to_root()
        if isinstance(parent.local_table, Table)
        for name in (parent.local_table, parent.local_table.fullname)
    }


@event.listens_for(Mapper, "after_mapper_constructed")
def _look_again(_mapper: Mapper[Any], _class: type) -> None:
    # It may have brought a table.
    _forget()


def shape(mapper: Mapper[Any]) -> Shape:
    """Return the shape of a class that is watched, itself or through a class it inherits from."""
    found = _shapes.get(mapper)
    if found is None:
        found = _shapes[mapper] = _shape(mapper)
    return found


def _shape(mapper: Mapper[Any]) -> Shape:
    watched = next(parent for parent in mapper.iterate_to_root() if parent.class_ in _watched)
    # A class with a table of its own alone (concrete inheritance) is named by it; any other by the class watched.
    table = (mapper if mapper.concrete else watched).local_table
    primary = [mapper.get_property_by_column(column).key for column in mapper.primary_key]
    metadata = mapper.primary_key[0].table.metadata
    fields = _fields(mapper, _watched[watched.class_])
    return Shape(
        mapper,
        _name(table),
        fields,
        tuple(primary),
        find(metadata),
        _taker([f.key for f in fields]),
        _taker(primary),
        {f.key: ABSENT for f in fields},
        ATOMS | {kind for f in fields if (kind := getattr(f.column.type, "enum_class", None)) is not None},
        all(type(f.column.type) in STEADY for f in fields),
        {f.name: told for f in fields if (told := naming(f.column))},
        tuple(f for f in fields if coarse(f.column.type)),
    )


def _taker(keys: list[str]) -> Take:
    if len(keys) > 1:
        return itemgetter(*keys)
    return (lambda attributes: (attributes[keys[0]],)) if keys else lambda _: ()


def _fields(mapper: Mapper[Any], told: Watch) -> tuple[Field, ...]:
    fields: dict[str, Field] = {}
    for prop in mapper.column_attrs:
        column = prop.columns[0]
        if not isinstance(column, Column) or not told.takes(prop.key, column):
            continue
        # Joined tables may each have a column of this name: the attribute tells them apart.
        name = prop.key if column.name in fields else column.name
        export, mask = exporter(column.type), told.masks(prop.key, column)
        direct = export is plain and not mask
        fields[name] = Field(name, prop.key, column, export, mask, prop.deferred, _volatile(column), direct)
    return tuple(fields.values())


def _volatile(column: Column[Any]) -> bool:
    computed = column.onupdate is not None and column.onupdate.is_clause_element
    return computed or column.server_onupdate is not None


def _mapper(model: type) -> Mapper[Any]:
    if not isinstance(model, type):
        raise CaptureError(f"watch takes a mapped class, not {model!r}: map the table to a class first")
    try:
        # Relationships may name classes that come later: nothing is configured here.
        return class_mapper(model, configure=False)
    except UnmappedClassError:
        raise CaptureError(f"{model.__name__} is not mapped to a table: watch its mapped subclasses") from None


def _columns(mapper: Mapper[Any]) -> dict[str, Column[Any]]:
    found: dict[str, Any] = dict(mapper.columns.items())
    # An expression that is mapped like a column belongs to no table.
    return {key: column for key, column in found.items() if isinstance(column, Column)}


def _names(model: type, known: dict[str, Column[Any]], choices: Iterable[Choice]) -> frozenset[str]:
    if isinstance(choices, str):
        raise CaptureError(f"columns are given as a set: {{{choices!r}}}")
    names = frozenset(choice if isinstance(choice, str) else choice.key for choice in choices)
    missing = names - known.keys() - {column.name for column in known.values()}
    if missing:
        raise CaptureError(f"{model.__name__} has no column {_listed(missing)}; it has {_listed(known)}")
    return names


def _check(mapper: Mapper[Any], told: Watch, key: str, column: Column[Any]) -> None:
    if wrong := mistake(column):
        raise CaptureError(f"{mapper.class_.__name__}.{key}: info['relay'] is {wrong}")
    if column in mapper.primary_key and (told.masks(key, column) or key in told.exclude or wish(column) == "exclude"):
        raise CaptureError(
            f"{mapper.class_.__name__}.{key} is the primary key, which names the row: it cannot be hidden"
        )
    if told.takes(key, column):
        check(column)


def _name(table: Any) -> str:
    if not isinstance(table, Table):
        raise CaptureError(f"{table} is no table: watch classes that are mapped to one, events are named after it")
    return table.name


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names))
