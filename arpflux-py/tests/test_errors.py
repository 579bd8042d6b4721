"""Exceptions carry everything that the Rust error does, and are what the standard library would raise."""

import pickle

import pytest

import arpflux
from arpflux import _errors


@pytest.mark.parametrize("kind", sorted(_errors._CLASSES))
def test_every_kind_has_a_class_and_pickles(kind):
    error = _errors.make(kind, 7, "add proxy entry", "eth0", "went wrong", "do this", 13, "all of it")
    assert type(error) is _errors._CLASSES[kind]
    assert getattr(arpflux, type(error).__name__) is type(error)
    again = pickle.loads(pickle.dumps(error))
    for name in ("kind", "code", "operation", "object", "message", "hint", "errno"):
        assert getattr(again, name) == getattr(error, name)
    assert str(again) == str(error) == "all of it"


def test_classes_fit_the_standard_library():
    assert issubclass(arpflux.PermissionDenied, PermissionError)
    assert issubclass(arpflux.TimedOut, TimeoutError)
    assert issubclass(arpflux.InvalidPolicy, ValueError)
    assert issubclass(arpflux.NotFound, LookupError)
    assert issubclass(arpflux.Io, OSError)


def test_a_missing_file_is_told_in_full():
    with pytest.raises(FileNotFoundError, match="^read policy /no/such.toml: ") as caught:
        arpflux.Policy.load("/no/such.toml")
    assert caught.value.filename == "/no/such.toml" and str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
