"""Options that classes declare: allowed values, what a class has of its bases, and what a request gets."""

import math

import numpy as np
import pytest

from zoo import options
from zoo.errors import RequestError
from zoo.options import Configured, Option, counts, number, one_of, optional, whole


class Base(Configured):
    where = "config.options"
    rate = Option(0.5, number(0, below=1))
    kind = Option("one", one_of("one", "two"))


class Derived(Base):
    kind = Option("two", one_of("one", "two"))
    rate = 0.25
    steps = Option(None, optional(whole(1, 9)))


@pytest.mark.parametrize(
    "values, allowed, refused, expected",
    [
        (number(), (-3, 0.5, np.float32(2)), (math.inf, math.nan, True, "1", None), "a number"),
        (number(0), (0, 7.5), (-1e-9, math.inf), "a number, 0 or more"),
        (number(1), (1, 2), (0.99,), "a number, 1 or more"),
        (number(above=0), (1e-9, 3), (0, -1), "a number above 0"),
        (number(0, most=1), (0, 1), (-0.1, 1.1), "a number in [0, 1]"),
        (number(0, below=1), (0, 0.999), (1, -0.1), "a number in [0, 1)"),
        (number(above=0, most=1), (1e-9, 1), (0, 1.1), "a number in (0, 1]"),
        (whole(), (0, np.int64(3), 2**31 - 1), (-1, 2**31, 1.0, True, "3"), "a whole number, 0 to 2147483647"),
        (whole(1, 100), (1, 100), (0, 101), "a whole number, 1 to 100"),
        (counts(), ((), (3,), [4, 5]), ((0,), (1.5,), 3, "12"), "a tuple of whole numbers, each 1 to 2147483647"),
        (one_of("a", "b"), ("a",), ("c", None), "one of 'a', 'b'"),
        (optional(whole(1, 9)), (None, 9), (0, "none"), "a whole number, 1 to 9, or none"),
        (options.SWITCH, (True, False), (1, "true"), "true or false"),
        (options.OPTIONS, ({},), ([], 1), "a dict of options"),
        (options.TEXT, ("",), (b"", None), "a text"),
    ],
)
def test_values(values, allowed, refused, expected):
    for value in allowed:
        values.check(value, "where")
    for value in refused:
        with pytest.raises(RequestError) as caught:
            values.check(value, "config.key")
        assert str(caught.value) == f"config.key: {value!r}; expected {expected}"


def test_a_name_that_is_nearly_one_of_the_choices_gets_that():
    with pytest.raises(RequestError, match=r"^config.kind: 'perturbd'; did you mean 'perturbed'\?$"):
        one_of("real", "perturbed").check("perturbd", "config.kind")


def test_a_class_has_its_bases_options_but_for_those_that_it_declares_anew_or_fixes():
    assert list(options.declared(Base)) == ["rate", "kind"]
    assert list(options.declared(Derived)) == ["kind", "steps"]  # `rate` has a fixed value.
    assert options.declared(Derived)["kind"].default == "two"


def test_options_become_attributes_and_none_is_the_default():
    one = Base(rate=0.75, kind=None)
    assert (one.rate, one.kind) == (0.75, "one")
    assert (Derived(steps=3).steps, Derived().steps, Derived().rate, Derived().kind) == (3, None, 0.25, "two")
    assert repr(Derived(steps=3)) == "Derived(kind='two', steps=3)"


def test_a_wrong_option_is_refused_in_one_line():
    with pytest.raises(RequestError, match=r"^config.options.rat: no option of Base, which takes rate, kind$"):
        Base(rat=0.5)
    with pytest.raises(RequestError, match=r"^config.options.rate: no option of Derived, which takes kind, steps$"):
        Derived(rate=0.5)
    with pytest.raises(RequestError, match=r"^config.options.rate: 1.0; expected a number in \[0, 1\)$"):
        Base(rate=1.0)
    with pytest.raises(RequestError, match=r"^here.x: no option of nothing, which takes none$"):
        options.resolve({}, {"x": 1}, "here", "nothing")
    # A wrong value is not hidden by another option's default.
    with pytest.raises(RequestError, match=r"^config.options.steps: 10; expected a whole number, 1 to 9, or none$"):
        Derived(steps=10)
