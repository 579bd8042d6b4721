"""What all value classes have: they are frozen, compare, hash, print, pickle, and convert to and from plain dicts."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
import sys
import typing
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Callable, ClassVar, Dict, Mapping, Optional, Tuple, Type, TypeVar, Union, cast

from ._errors import make

V = TypeVar("V", bound="Value")
#: An address of either family.
IpAddress = Union[IPv4Address, IPv6Address]
Convert = Callable[[Any], Any]

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def written(key: str = "", unit: float = 1.0) -> Dict[str, Any]:
    """The metadata of a field that is written otherwise: under another key, or as a number of `unit` seconds."""
    return {"key": key, "unit": unit}


@dataclasses.dataclass(frozen=True)
class Value:
    """A value that never changes. Equal fields make equal values, which have equal hashes; all of them pickle.

    >>> import arpflux
    >>> conflict = arpflux.Conflict(mac="02:00:00:00:00:01", claim=arpflux.Claim.HOLDS)
    >>> conflict.to_dict()
    {'mac': '02:00:00:00:00:01', 'claim': 'holds'}
    >>> arpflux.Conflict.from_dict(conflict.to_dict()) == conflict
    True
    """

    #: What the annotations of the class refer to.
    _namespace: ClassVar[Dict[str, Any]] = {}
    #: Keys that are not written where they have no value.
    _optional: ClassVar[Tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        cls._namespace = vars(sys.modules[cls.__module__])

    @classmethod
    def from_dict(cls: Type[V], values: Mapping[str, Any]) -> V:
        """The value that a dict as `to_dict()` gives it stands for. Raises InvalidData."""
        # What a type checker would find is looked at as well: the dict may come from a file.
        if not isinstance(values, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"argument 'values': expected dict, not {type(values).__name__}")
        fields = _fields(cls)
        unknown = [key for key in values if key not in fields]
        if unknown:
            known = ", ".join(fields)
            raise _invalid(cls, f"unknown key {unknown[0]!r}; it has {known}")
        arguments: Dict[str, Any] = {}
        for key, (name, load, _, needed) in fields.items():
            if key not in values:
                if needed:
                    raise _invalid(cls, f"the key {key!r} is missing")
                continue
            try:
                arguments[name] = load(values[key])
            except (ValueError, TypeError, KeyError, OverflowError, AttributeError) as error:
                raise _invalid(cls, f"{key!r}: {error}") from error
        return cls(**arguments)

    def to_dict(self) -> Dict[str, Any]:
        """The same as plain dicts, lists, strings and numbers: what the command prints with --json."""
        fields = _fields(type(self)).items()
        values = {key: dump(getattr(self, name)) for key, (name, _, dump, _) in fields}
        return {key: value for key, value in values.items() if self._has(key, value)}

    def _has(self, key: str, value: Any) -> bool:
        """Whether a key is written."""
        return key not in self._optional or value not in (None, [])


class Judged(Value):
    """A claim with `ok`, and where that is None what it comes to apart from what is missing. True if it holds."""

    #: Whether it holds; None: that cannot be told.
    ok: Optional[bool]

    def _has(self, key: str, value: Any) -> bool:
        return key != "ok_apart_from_that" or self.ok is None

    def __bool__(self) -> bool:
        return self.ok is True


class Open(Value):
    """A value with keys that depend on what it is: `json` keeps those that are no fields."""

    json: str

    @property
    def fields(self) -> Dict[str, Any]:
        """Everything else about it, as a new dict."""
        values: Dict[str, Any] = json.loads(self.json)
        return values

    @classmethod
    def from_dict(cls: Type[V], values: Mapping[str, Any]) -> V:
        """The value that a dict as `to_dict()` gives it stands for. Raises InvalidData."""
        if not isinstance(values, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            return super().from_dict(values)
        named = [key for key in _fields(cls) if key != "json"]
        rest = {key: value for key, value in values.items() if key not in named}
        own = {key: values[key] for key in named if key in values}
        return super().from_dict({**own, "json": json.dumps(rest, sort_keys=True)})

    def to_dict(self) -> Dict[str, Any]:
        """The same as plain dicts, lists, strings and numbers: what the command prints with --json."""
        values = super().to_dict()
        del values["json"]
        return {**values, **self.fields}


def _invalid(cls: type, message: str) -> Exception:
    name = cls.__name__
    return make("invalid_data", 3, "read", name, message, None, None, f"read {name}: {message}")


#: By class and key: the field's name, how it is read, how it is written, whether it has to be there.
_known: Dict[type, Dict[str, Tuple[str, Convert, Convert, bool]]] = {}


def _fields(cls: Type[Value]) -> Dict[str, Tuple[str, Convert, Convert, bool]]:
    if cls not in _known:
        _known[cls] = _read_fields(cls)
    return _known[cls]


def _read_fields(cls: Type[Value]) -> Dict[str, Tuple[str, Convert, Convert, bool]]:
    namespace = {**globals(), **cls._namespace}  # pyright: ignore[reportPrivateUsage]
    hints = typing.get_type_hints(cls, namespace)
    found: Dict[str, Tuple[str, Convert, Convert, bool]] = {}
    for field in dataclasses.fields(cls):
        load, dump = _converters(hints[field.name], float(field.metadata.get("unit", 1.0)))
        needed = field.default is dataclasses.MISSING
        found[field.metadata.get("key") or field.name] = (field.name, load, dump, needed)
    return found


def _same(value: Any) -> Any:
    return value


def _optional(convert: Convert) -> Convert:
    return lambda value: None if value is None else convert(value)


def _plain(hint: type) -> Convert:
    def load(value: Any) -> Any:
        # A whole number is a float as well, but a bool is no number.
        if hint is float and type(value) is int:
            return float(value)
        if type(value) is not hint:
            raise TypeError(f"expected {hint.__name__}, not {type(value).__name__}")
        return value

    return load


def _tuple(convert: Convert) -> Convert:
    def load(values: Any) -> Any:
        if not isinstance(values, (list, tuple)):
            raise TypeError(f"expected list, not {type(values).__name__}")
        return tuple(convert(value) for value in cast("list[Any]", values))

    return load


def _converters(hint: Any, unit: float) -> Tuple[Convert, Convert]:
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is Union:
        inner = [argument for argument in arguments if argument is not type(None)]
        if len(inner) < len(arguments):
            load, dump = _converters(Union[tuple(inner)], unit)
            return _optional(load), _optional(dump)
        return ip_address, str
    if typing.get_origin(hint) is tuple:
        load, dump = _converters(arguments[0], unit)
        return _tuple(load), lambda values: [dump(value) for value in values]
    if hint is datetime.timedelta:
        tick = datetime.timedelta(seconds=unit)
        return (lambda value: datetime.timedelta(seconds=value * unit)), (lambda time: _number(time / tick))
    if hint is datetime.datetime:
        tick = datetime.timedelta(seconds=unit)
        return (
            lambda value: _EPOCH + datetime.timedelta(seconds=value * unit),
            lambda time: _number((time - _EPOCH) / tick),
        )
    if hint in (IPv4Address, IPv6Address):
        return hint, str
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return hint, lambda member: member.value
    readable = typing.cast(Any, hint)
    if hasattr(readable, "from_dict"):
        return readable.from_dict, lambda value: value.to_dict()
    if hint in (str, int, bool, float):
        return _plain(hint), _same
    return _same, _same


def _number(value: float) -> Union[int, float]:
    return int(value) if value.is_integer() else value

