"""One metric of a report."""

import math

import numpy as np


def metric(interval, better, about, *, num_samples, num_reference=None, real=None, untrained=None, of=None):
    """A metric in the report's format (`export.report`).

    Args:
        interval: `export.metrics.intervals.Interval`.
        better: "lower", "higher" or "one".
        about: what it is, in a sentence.
        num_samples, num_reference: examples behind it.
        real, untrained: optional numbers, see the format.
        of: the total, where the metric is a count.

    Returns:
        Dict of JSON values.
    """
    value = interval.value
    entry = {
        "value": _number(value if of is None or not np.isfinite(value) else round(value)),
        "interval": None,
    }
    if interval.low is None:
        entry["no_interval"] = interval.reason
    else:
        entry |= {"interval": [interval.low, interval.high], "level": interval.level, "method": interval.method}
        if interval.caveat:
            entry["caveat"] = interval.caveat
    entry.update(num_samples=int(num_samples), num_reference=num_reference, better=better, about=about)
    for key, value in (("real", real), ("untrained", untrained), ("of", of)):
        if value is not None:
            entry[key] = _number(value)
    if untrained is not None and entry["value"] is not None and untrained > 0:
        entry["percent_of_untrained"] = _number(100.0 * entry["value"] / untrained)
    return entry


def _number(value):
    """A number that JSON can hold: null for NaN and the infinities."""
    if isinstance(value, (int, np.integer)):
        return int(value)
    value = float(value)
    return value if math.isfinite(value) else None
