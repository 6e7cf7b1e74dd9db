"""Options that a class declares: keyword arguments of its constructor, with their defaults and allowed values.

    class LeastSquares(GAN):
        real_target = Option(1.0, number())

`LeastSquares(..., real_target=0.9)` sets the attribute of that name. A subclass changes a default by declaring the
option again, and removes an option by giving the attribute a fixed value. Free of TensorFlow.
"""

import dataclasses
import difflib
import math
import numbers
from collections.abc import Callable
from typing import Any

from zoo.errors import RequestError

#: The largest count that a 32-bit integer of TensorFlow or of a file format holds.
LARGEST = 2**31 - 1


@dataclasses.dataclass(frozen=True)
class Values:
    """A set of allowed values.

    Attributes:
        hold: value → whether it is allowed.
        expected: their description, to follow "expected" in a message.
        names: the values, where these are names.
    """

    hold: Callable
    expected: str
    names: tuple = ()

    def check(self, value, where):
        """Raises RequestError unless `value` is allowed; `where` is what the message calls it."""
        if self.hold(value):
            return
        near = difflib.get_close_matches(str(value), self.names, 3, 0.4)
        hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"expected {self.expected}"
        raise RequestError(f"{where}: {value!r}; {hint}")


def number(least=None, *, above=None, most=None, below=None):
    """Finite real numbers of at least `least` or above `above`, and at most `most` or below `below`."""
    if (least, above) == (None, None):
        told = "a number"
    elif (most, below) == (None, None):
        told = f"a number, {least:g} or more" if above is None else f"a number above {above:g}"
    else:
        lower = f"[{least:g}" if above is None else f"({above:g}"
        told = f"a number in {lower}, " + (f"{most:g}]" if below is None else f"{below:g})")

    def hold(value):
        return (
            isinstance(value, numbers.Real)
            and not isinstance(value, bool)
            and math.isfinite(value)
            and (least is None or value >= least)
            and (above is None or value > above)
            and (most is None or value <= most)
            and (below is None or value < below)
        )

    return Values(hold, told)


def whole(least=0, most=LARGEST):
    """Integers from `least` to `most`."""

    def hold(value):
        return isinstance(value, numbers.Integral) and not isinstance(value, bool) and least <= value <= most

    return Values(hold, f"a whole number, {least} to {most}")


def counts():
    """Sequences of integers of 1 or more."""
    one = whole(1)

    def hold(value):
        return isinstance(value, (tuple, list)) and all(map(one.hold, value))

    return Values(hold, f"a tuple of whole numbers, each 1 to {LARGEST}")


def one_of(*names):
    """Any of some names."""
    return Values(lambda value: value in names, f"one of {', '.join(map(repr, names))}", tuple(map(str, names)))


def optional(values):
    """`values`, and None."""
    return Values(lambda value: value is None or values.hold(value), f"{values.expected}, or none", values.names)


#: True and False.
SWITCH = Values(lambda value: isinstance(value, bool), "true or false")
OPTIONS = Values(lambda value: hasattr(value, "keys"), "a dict of options")
TEXT = Values(lambda value: isinstance(value, str), "a text")


@dataclasses.dataclass(frozen=True)
class Option:
    """An option of a class.

    Attributes:
        default: its value where it is not given, or given as None.
        values: the `Values` that are allowed.
    """

    default: Any
    values: Values


def declared(cls):
    """The options of a class, {name: `Option`}: its own first, then those of its bases."""
    found = {}
    for base in cls.__mro__:
        for name, value in vars(base).items():
            found.setdefault(name, value)
    return {name: value for name, value in found.items() if isinstance(value, Option)}


def resolve(known, given, where, owner):
    """All options with their values.

    Args:
        known: {name: `Option`}, as `declared` returns it.
        given: {name: value}; None is the default.
        where: what messages call `given`.
        owner: what messages call the class.

    Returns:
        {name: value} of every option, in the order of `known`.

    Raises:
        RequestError: an option that is not known, or a value that is not allowed.
    """
    for name in given:
        if name not in known:
            takes = f"takes {', '.join(known)}" if known else "takes none"
            raise RequestError(f"{where}.{name}: no option of {owner}, which {takes}")
    values = {}
    for name, option in known.items():
        values[name] = option.default if given.get(name) is None else given[name]
        if values[name] is not None:
            option.values.check(values[name], f"{where}.{name}")
    return values


class Configured:
    """A class whose constructor takes its declared options, by name, and sets the attributes."""

    #: What messages call the options; the class's own name if None.
    where = None
    #: Whether other keywords go to the constructor of the next base class; they are refused if not.
    passes_keywords = False

    def __init__(self, **keywords):
        known, name = declared(type(self)), type(self).__name__
        own = {key: value for key, value in keywords.items() if key in known or not self.passes_keywords}
        options = resolve(known, own, self.where or name, name)
        super().__init__(**{key: value for key, value in keywords.items() if key not in own})
        for option, value in options.items():
            setattr(self, option, value)

    def __repr__(self):
        options = (f"{name}={getattr(self, name)!r}" for name in declared(type(self)))
        return f"{type(self).__name__}({', '.join(options)})"
