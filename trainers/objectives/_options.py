"""Checks of objectives' options."""

import difflib
import numbers

from zoo.errors import RequestError


def check_number(name, value, least=0.0, inclusive=True):
    """Raises RequestError unless option `name` is a number of at least (or, not inclusive, above) `least`."""
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not number or not (value >= least if inclusive else value > least) or value == float("inf"):
        bound = f"{least:g} or more" if inclusive else f"above {least:g}"
        raise RequestError(f"config.objective_options.{name}: {value!r}; expected a number, {bound}")


def check_choice(name, value, choices):
    """Raises RequestError, with the nearest of `choices`, unless option `name` is one of them."""
    if value not in choices:
        near = difflib.get_close_matches(str(value), choices, 3, 0.4)
        hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"expected one of {', '.join(choices)}"
        raise RequestError(f"config.objective_options.{name}: no {value!r}; {hint}")
