"""Mistakes in evaluations and in the report's pages."""

from mutants.mutant import of_file

PAGES = "tests/export/report/test_writer.py -k pages"
EVALUATION = "tests/export/evaluation"

MUTANTS = [
    *of_file(
        "export/report/report.html.jinja", PAGES, (" {{ kind.caveat }}", ""), ("{% if intervals %}", "{% if true %}")
    ),
    *of_file("export/report/report.md.jinja", PAGES, (" {{ kind.caveat }}", ""), ("{{ tried }}", "")),
    *of_file(
        "export/report/writer.py",
        PAGES,
        ('if metric["interval"]:', "if True:"),
        ('metric.get("caveat")), []', "None), []"),
    ),
    *of_file("export/evaluation/metric.py", PAGES, ("if interval.caveat:", "if False:")),
    *of_file("export/metrics/intervals.py", PAGES, ("caveat=_DISCREPANCY_CAVEAT", "caveat=None")),
    *of_file("export/metrics/kernel.py", PAGES, ("return dataclasses.replace(found, caveat=_CAVEAT)", "return found")),
    *of_file("export/metrics/precision_recall.py", PAGES, ("caveat=_SHARE_CAVEAT", "caveat=None")),
    *of_file(
        "export/evaluation/context.py",
        f"{EVALUATION}/test_context.py",
        ("if key not in self._results:", "if True:"),
        ("key = function, id(sample)", "key = function"),
        ("np.arange(self.num_samples) + self.first_seed", "np.arange(self.num_samples)"),
        ("self._untrained = untrained", "self._untrained = generator"),
    ),
    *of_file(
        "export/evaluation/metric.py",
        f"{EVALUATION}/test_context.py",
        (" if metric.needs(context)}", "}"),
        ("real=self.value(context, context.training)", "real=self.interval(context, context.training).value"),
    ),
    *of_file(
        "export/evaluation/evaluator.py",
        f"{EVALUATION}/test_evaluator.py -k 'more_points or too_few or broke_down'",
        ("num_samples > _MOST_POINTS", "num_samples > 10 * _MOST_POINTS"),
        ("count = count_samples(data, num_samples)  # before", "count = num_samples  # before"),
        ("if not np.isfinite(probe.astype(np.float64)).all():", "if False:"),
    ),
]
