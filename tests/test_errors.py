"""Each branch of the exception tree has the exit code that its drawing says."""

import inspect
import re

import pytest

from aitrader import errors


@pytest.mark.parametrize(
    ("name", "code"), re.findall(r"^[│├└─ ]*(\w+)\s+(\d+)  ", errors.__doc__ or "", flags=re.MULTILINE)
)
def test_the_drawing_tells_the_exit_code(name, code):
    assert getattr(errors, name).exit_code == int(code)


def test_every_exception_stands_in_the_drawing():
    classes = [n for n, c in inspect.getmembers(errors, inspect.isclass) if c.__module__ == errors.__name__]

    assert all(re.search(rf"\b{name}\b", errors.__doc__ or "") for name in classes)


def test_a_stop_carries_the_code_of_its_signal():
    assert errors.exit_code_of(errors.Stopped("x", code=143)) == 143
    assert errors.exit_code_of(errors.InsufficientDataError("x", needed=2, got=1)) == 3
