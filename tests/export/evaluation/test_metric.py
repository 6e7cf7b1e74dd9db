import numpy as np
from by_hand import generator_of

from export.evaluation import metric
from export.evaluation.context import PointContext
from export.metrics import intervals
from export.report import pages


def test_numbers_that_are_not_finite_become_null():
    broken = intervals.absent(float("-inf"), "why")
    entry = metric.entry(broken, "higher", "", num_samples=3, real=float("nan"))
    assert entry["value"] is None and entry["interval"] is None and entry["real"] is None
    assert entry["no_interval"] == "why" and "level" not in entry
    assert pages._value(entry) == "none"


def test_numbers_are_those_of_an_entry_without_intervals(ring):
    def fail(context, sample):
        raise AssertionError("an interval was computed")

    row = metric.Metric("length", "higher", "", lambda context, sample: sample.sum(), fail, of=lambda context: 9)
    points = np.full([20, 2], 0.25)
    context = PointContext(generator_of(lambda seeds: points[: len(seeds)], (2,)), ring, num_samples=20)
    assert row.numbers(context) == {"value": 10.0, "real": context.training.sum(), "of": 9}


def test_what_a_perfect_generator_reaches_can_be_told_otherwise(ring):
    def of(**options):
        row = metric.Metric(
            "length",
            "higher",
            "",
            value=lambda context, sample: len(sample),
            interval=lambda context, sample: intervals.absent(len(sample), "exact"),
            **options,
        )
        context = PointContext(generator_of(lambda seeds: np.zeros([len(seeds), 2]), (2,)), ring, num_samples=20)
        return row.measure(context).get("real")

    assert of() == 20 and of(of_real=False) is None
    assert of(real=lambda context: 2 * context.num_samples) == 40
