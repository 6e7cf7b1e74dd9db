from export.evaluation import metric
from export.metrics import intervals
from export.report import writer


def test_numbers_that_are_not_finite_become_null():
    broken = intervals.absent(float("-inf"), "why")
    entry = metric.entry(broken, "higher", "", num_samples=3, real=float("nan"))
    assert entry["value"] is None and entry["interval"] is None and entry["real"] is None
    assert entry["no_interval"] == "why" and "level" not in entry
    assert writer._value(entry) == "none"
