"""A section of a report, put together from what a diagnostic found."""

import math

import numpy as np

#: From the best to the worst.
LEVELS = ("none", "partial", "severe")


def section(level, opening, parts, rests_on, try_next=None, **plotted):
    """A section in the format of `export.report`.

    Args:
        level: one of LEVELS.
        opening: the first words of the verdict.
        parts: list of clauses, the leading finding first.
        rests_on: {str: number}.
        try_next: a sentence; it is left out at level "none", where nothing needs to be tried.
        **plotted: further keys, lists and dicts of numbers.

    Returns:
        Dict of JSON values: numbers that are not finite are None.
    """
    made = {"level": level, "verdict": f"{opening}: {'; '.join(parts)}."}
    if len(parts) > 1:
        made["leading"] = f"{opening}: {parts[0]}."
    if try_next and level != "none":
        made["try_next"] = try_next
    return made | {"rests_on": _plain(rests_on)} | {key: _plain(value) for key, value in plotted.items()}


def worse(*levels):
    """The worst of several levels."""
    return max(levels, key=LEVELS.index)


def _plain(value):
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(entry) for entry in value]
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, (int, np.integer)):
        return int(value)
    return float(value) if math.isfinite(value) else None
