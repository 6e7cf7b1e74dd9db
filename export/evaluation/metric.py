"""One metric of an evaluation, and its entry in a report."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np


def against_held_out(context):
    """`Metric.counts` of a metric that compares all samples with as many held-out examples."""
    return context.num_samples, context.num_samples


def samples_alone(context):
    """`Metric.counts` of a metric of all samples that needs no held-out examples."""
    return context.num_samples, None


@dataclasses.dataclass(frozen=True)
class Metric:
    """What is measured of a generator.

    `context` is an `export.evaluation.context.Context`. `sample` is one of its sets of examples: its `samples`, or what
    takes their place: its `training` examples, its `untrained` ones.

    Attributes:
        name: the metric's key in a report.
        better: "lower", "higher" or "one": which values are better.
        about: what it is, in a sentence; a function of the context where the sentence holds numbers of it.
        value: function of (context, sample) → number.
        interval: function of (context, sample) → `export.metrics.intervals.Interval`, whose value is the same number.
        needs: function of the context → whether the metric applies: whether the data has what it needs.
        counts: function of the context → (number of samples, number of held-out examples or None) behind the value.
        of: function of the context → the total, where the metric is a count.
        of_untrained: whether the value is set in proportion to the untrained generator's.
        of_real: whether training examples can take the samples' place.
        real: function of the context → what a perfect generator reaches, of a metric that compares samples with the
            training examples, so that these cannot take the samples' place; None of any other.
    """

    name: str
    better: str
    about: str | Callable
    value: Callable
    interval: Callable
    needs: Callable = lambda context: True
    counts: Callable = against_held_out
    of: Callable = lambda context: None
    of_untrained: bool = False
    of_real: bool = True
    real: Callable | None = None

    def measure(self, context):
        """The metric in the format of `export.report`, a dict of JSON values."""
        num_samples, num_reference = self.counts(context)
        untrained = context.untrained if self.of_untrained else None
        return entry(
            self.interval(context, context.samples),
            self.better,
            self.about(context) if callable(self.about) else self.about,
            num_samples=num_samples,
            num_reference=num_reference,
            real=self._of_real(context),
            untrained=None if untrained is None else self.value(context, untrained),
            of=self.of(context),
        )

    def numbers(self, context):
        """Only the "value", "real" and "of" of `measure`, without an interval, for a first look."""
        of = self.of(context)
        found = {"value": self.value(context, context.samples), "real": self._of_real(context), "of": of}
        return {key: None if value is None else _number(value) for key, value in found.items()}

    def _of_real(self, context):
        if self.real is not None:
            return self.real(context)
        return self.value(context, context.training) if self.of_real else None


def measure(context, metrics):
    """The metrics that apply, in the format of `export.report`.

    Args:
        context: `export.evaluation.context.Context`.
        metrics: `Metric`s.

    Returns:
        {name: entry}, in order.
    """
    return {metric.name: metric.measure(context) for metric in metrics if metric.needs(context)}


def entry(interval, better, about, *, num_samples, num_reference=None, real=None, untrained=None, of=None):
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
    made = {
        "value": _number(value if of is None or not np.isfinite(value) else round(value)),
        "interval": None,
    }
    if interval.low is None:
        made["no_interval"] = interval.reason
    else:
        made |= {"interval": [interval.low, interval.high], "level": interval.level, "method": interval.method}
        if interval.caveat:
            made["caveat"] = interval.caveat
    made.update(num_samples=int(num_samples), num_reference=num_reference, better=better, about=about)
    for key, value in (("real", real), ("untrained", untrained), ("of", of)):
        if value is not None:
            made[key] = _number(value)
    if untrained is not None and made["value"] is not None and untrained > 0:
        made["percent_of_untrained"] = _number(100.0 * made["value"] / untrained)
    return made


def _number(value):
    """A number that JSON can hold: null for NaN and the infinities."""
    if isinstance(value, (int, np.integer)):
        return int(value)
    value = float(value)
    return value if math.isfinite(value) else None
