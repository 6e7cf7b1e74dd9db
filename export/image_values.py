"""What the values of images of unknown origin stand for: bytes, or floats in [-1, 1], [0, 1] or [0, 255]."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from zoo.errors import RequestError
from zoo.pixels import to_uint8

#: What rounding may carry a value beyond its range by.
_TOLERANCE = 1e-3


class Reading(NamedTuple):
    """How images are read.

    Attributes:
        to_bytes: images as they are → uint8 of the same shape, clipped where they leave their range.
        note: what was taken for granted, a sentence; None for uint8.
    """

    to_bytes: Callable
    note: str | None


def reading_of(dtype, smallest, largest, where, whose, slack=0.0):
    """Tells by type and range what the values of images stand for.

    Integers are bytes. Floats are in [0, 1] where none is below 0 and none above 1, in [-1, 1] where some are below 0,
    in [0, 255] where some are above 1 and none below 0.

    Args:
        dtype: NumPy dtype of the images.
        smallest, largest: over all of them, finite.
        where: what a message calls them.
        whose: subject of the note, such as "The samples".
        slack: what values of [0, 1] and [-1, 1] may leave their range by, as those of networks without a bound do.

    Returns:
        `Reading`.

    Raises:
        RequestError: no such range holds the values, or they are integers that can only be floats cut off.
    """
    span = f"{smallest:.4g} to {largest:.4g}"
    if dtype.kind in "iu":
        if smallest >= 0 and largest <= 1:
            raise RequestError(f"{where}: integers from {span}; expected bytes from 0 to 255, or floats in [0, 1]")
        if smallest < 0 or largest > 255:
            raise RequestError(f"{where}: integers from {span}; expected bytes from 0 to 255")
        note = None if dtype == np.uint8 else f"{whose} are {dtype} from {span}, read as bytes."
        return Reading(lambda images: images.astype(np.uint8), note)

    def as_values_in(range_, to_bytes):
        return Reading(
            lambda images: to_bytes(np.asarray(images, np.float32)),
            f"{whose} are {dtype} from {span}, read as values in {range_}.",
        )

    above = 1 + _TOLERANCE + slack
    if smallest >= -_TOLERANCE and largest <= above:
        return as_values_in("[0, 1]", lambda images: _rounded(images * np.float32(255)))
    if smallest >= -above and largest <= above:
        return as_values_in("[-1, 1]", to_uint8)
    if smallest >= -_TOLERANCE and largest <= 255 + _TOLERANCE:
        return as_values_in("[0, 255]", _rounded)
    raise RequestError(f"{where}: values from {span}; expected images in [-1, 1], [0, 1] or [0, 255]")


def _rounded(levels):
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)
