"""Mistakes in the report's pages."""

from mutants.mutant import of_file

PAGES = "tests/export/test_evaluate.py -k pages"

MUTANTS = [
    *of_file(
        "export/report/report.html.jinja", PAGES, (" {{ kind.caveat }}", ""), ("{% if intervals %}", "{% if true %}")
    ),
    *of_file("export/report/report.md.jinja", PAGES, (" {{ kind.caveat }}", ""), ("{{ tried }}", "")),
    *of_file(
        "export/report/pages.py",
        PAGES,
        ('if metric["interval"]:', "if True:"),
        ('metric.get("caveat")), []', "None), []"),
    ),
    *of_file("export/report/metric.py", PAGES, ("if interval.caveat:", "if False:")),
    *of_file("export/metrics/intervals.py", PAGES, ("caveat=_DISCREPANCY_CAVEAT", "caveat=None")),
    *of_file("export/metrics/kernel.py", PAGES, ("return dataclasses.replace(found, caveat=_CAVEAT)", "return found")),
    *of_file("export/metrics/precision_recall.py", PAGES, ("caveat=_SHARE_CAVEAT", "caveat=None")),
]
