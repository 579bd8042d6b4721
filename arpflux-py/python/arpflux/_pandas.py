"""To pandas and back, where pandas is there. The package itself needs nothing but Python."""

from __future__ import annotations

import importlib
from typing import Any, Iterable, List, Protocol, Type, TypeVar


class Convertible(Protocol):
    """What has `to_dict()`: all values of the package."""

    def to_dict(self) -> Any: ...


class _Readable(Protocol):
    @classmethod
    def from_dict(cls, values: Any) -> Any: ...


R = TypeVar("R", bound=_Readable)


def _pandas() -> Any:
    try:
        return importlib.import_module("pandas")
    except ImportError as error:
        raise ImportError("to_pandas and from_pandas need pandas: pip install pandas") from error


def to_pandas(values: Iterable[Convertible]) -> Any:
    """A pandas.DataFrame with a row for each value and a column for each key of its `to_dict()`.

    Takes the records of a snapshot (`snapshot.interfaces`), what `probe` and `detect` give, the rows of a matrix, changes
    of a plan, addresses of a report: any values of one class. All columns are of dtype object, so that whole numbers stay
    whole where some are missing. Raises ImportError without pandas.
    """
    return _pandas().DataFrame([value.to_dict() for value in values], dtype=object)


def from_pandas(cls: Type[R], frame: Any) -> List[R]:
    """The values of class `cls` that the rows of such a frame stand for. Raises InvalidData, ImportError without pandas."""
    pandas = _pandas()
    if not isinstance(frame, pandas.DataFrame):
        raise TypeError(f"argument 'frame': expected pandas.DataFrame, not {type(frame).__name__}")
    rows: Any = frame.to_dict("records")
    return [cls.from_dict({key: _clean(pandas, value) for key, value in row.items()}) for row in rows]


def _clean(pandas: Any, value: Any) -> Any:
    """A cell as `to_dict()` had it: what pandas marks as missing is None, its numbers are Python's."""
    if isinstance(value, (list, tuple, dict, str)):
        return value  # pyright: ignore[reportUnknownVariableType]
    if pandas.isna(value):
        return None
    return value.item() if hasattr(value, "item") else value
