"""Entries as tables: one for each data set, feature extractor and number of samples, a row for each method."""

import dataclasses
import itertools
import json
import statistics

from export.comparison.significance import Measured, difference, holm

#: Metrics that have a column where no others are asked for, in order, with their names; the first ranks.
RESTORATION = {
    "psnr": "PSNR",
    "psnr_of_bicubic": "PSNR, bicubic",
    "ssim": "SSIM",
    "ssim_of_bicubic": "SSIM, bicubic",
    "perceptual_distance": "perceptual distance",
    "perceptual_distance_of_bicubic": "perceptual distance, bicubic",
}
COLUMNS = {
    "frechet_distance": "Fréchet distance",
    "precision": "precision",
    "recall": "recall",
    "coverage": "coverage",
    "label_agreement": "label agreement",
    "clustering_accuracy": "clustering accuracy",
    "sliced_wasserstein": "sliced Wasserstein",
    "modes_found": "modes found",
    "high_quality_share": "high-quality share",
}
#: Level at which two rows count as different.
LEVEL = 0.05
#: Most settings that are named where two rows are of one method.
_MOST_NAMED = 4


@dataclasses.dataclass
class Row:
    """Runs that differ only in the seed.

    Attributes:
        entries: `Entry`s, in order of their seeds.
        rank: 1 for the best; None without a value.
        differs: settings that other rows of the same method and networks have other values for, "key=value, …"; ""
            where there are none.
        unlike: numbers of the rows that it differs from by more than chance.
        alike: numbers of the rows that it could not be told from, a test being made.
        untested: numbers of the rows that it could not be tested against.
    """

    entries: list
    rank: int | None = None
    differs: str = ""
    unlike: list = dataclasses.field(default_factory=list)
    alike: list = dataclasses.field(default_factory=list)
    untested: list = dataclasses.field(default_factory=list)

    def __getattr__(self, name):
        # What all entries share.
        if name in ("method", "networks", "steps", "provenance"):
            return getattr(self.entries[0], name)
        raise AttributeError(name)

    @property
    def seeds(self):
        return [entry.seed for entry in self.entries if entry.seed is not None]

    def mean(self, fact):
        """The mean of a number of the entries, such as "seconds"; None where none knows it."""
        known = [getattr(entry, fact) for entry in self.entries if getattr(entry, fact) is not None]
        return round(statistics.fmean(known)) if known else None

    def measured(self, metric):
        """The metric over the entries, a `Measured`."""
        found = [entry.metrics[metric] for entry in self.entries if metric in entry.metrics]
        values = tuple(each["value"] for each in found if each["value"] is not None)
        if len(self.entries) > 1 or len(values) != 1 or not found[0].get("interval"):
            return Measured(values)
        return Measured(values, tuple(found[0]["interval"]), found[0].get("level") or 0.95)

    def of(self, metric):
        """The total where the metric is a count, else None."""
        return next((entry.metrics[metric].get("of") for entry in self.entries if metric in entry.metrics), None)

    def std(self, metric):
        """The standard deviation of the metric over the entries (n - 1); None for fewer than two."""
        values = self.measured(metric).values
        return statistics.stdev(values) if len(values) > 1 else None

    def centre(self, metric):
        """The mean of the metric over the entries; None without a value."""
        values = self.measured(metric).values
        return statistics.fmean(values) if values else None


@dataclasses.dataclass
class Table:
    """Rows that may be compared: of the same data, feature extractor and numbers of samples.

    Attributes:
        data, features, num_samples, num_reference: as of `Entry`.
        restores: whether the rows make images of low-resolution ones.
        title: what the table is called; no two of one page are called alike.
        columns: {metric: its name}.
        rows: `Row`s, the best first.
        comparisons: [(i, j, Difference, adjusted p-value or None)] of every two rows i < j in the first column.
    """

    data: dict
    features: dict | None
    num_samples: int
    num_reference: int | None
    restores: bool
    columns: dict
    rows: list
    comparisons: list
    title: str = ""

    @property
    def rank_by(self):
        """The metric that ranks."""
        return next(iter(self.columns), None)

    @property
    def better(self):
        """Which values of it are better: "lower", "higher" or "one"."""
        return better(self.rows, self.rank_by)

    @property
    def untrained(self):
        """{metric: the value of a generator before its first step} where the rows agree on it to four digits."""
        found = {}
        for entry in (entry for row in self.rows for entry in row.entries):
            for metric in self.columns.keys() & entry.metrics.keys():
                if "untrained" in entry.metrics[metric]:
                    found.setdefault(metric, set()).add(f"{entry.metrics[metric]['untrained']:.4g}")
        return {metric: values.pop() for metric, values in found.items() if len(values) == 1}


def make(entries, metrics=()):
    """Tables of entries.

    Args:
        entries: `Entry`s.
        metrics: names of metrics to show, the first of which ranks; () for those of `COLUMNS`.

    Returns:
        List of `Table`s, in the order of the data's names.
    """
    by_table = {}
    for entry in entries:
        by_table.setdefault(entry.comparable, []).append(entry)
    tables = [_table(by_table[key], metrics) for key in sorted(by_table)]
    _entitle(tables)
    return tables


def _entitle(tables):
    """Gives tables their titles: the data's name, and what tells those of one name apart."""
    by_name = {}
    for table in tables:
        name = table.data["source"].rpartition("/")[2].rpartition(":")[2]
        by_name.setdefault(f"{name}, super-resolution" if table.restores else name, []).append(table)
    for name, group in by_name.items():
        titles = []
        for table in group:
            features, number = table.features, f"{table.num_samples:,} samples"
            parts = [name, number] if _several(group, "num_samples") else [name]
            if features and _several(group, "features"):
                accuracy = features.get("test_accuracy")
                of = f" ({100 * accuracy:.4g} %)" if accuracy else ""
                parts.append(f"features of {features['name']}{of}")
            titles.append(", ".join(parts))
        for number, (table, title) in enumerate(zip(group, titles), 1):
            # Such as two folders of one name.
            table.title = title if len(set(titles)) == len(titles) else f"{title}, {number}"


def _several(tables, fact):
    return len({json.dumps(getattr(table, fact)) for table in tables}) > 1


def _table(entries, metrics):
    first, restores = entries[0], entries[0].restores
    known = RESTORATION if restores else COLUMNS
    asked = metrics or known
    found = {metric for entry in entries for metric in entry.metrics}
    names = {**RESTORATION, **COLUMNS}
    columns = {metric: names.get(metric, metric.replace("_", " ")) for metric in asked if metric in found}
    by_row = {}
    for entry in entries:
        by_row.setdefault(entry.same_but_for_the_seed, []).append(entry)
    rows = [Row(sorted(each, key=lambda entry: (entry.seed is None, entry.seed))) for each in by_row.values()]
    facts = (first.data, first.features, first.num_samples, first.num_reference, restores)
    if not columns:
        return Table(*facts, columns, sorted(rows, key=_by_name), [])
    rank_by = next(iter(columns))
    direction = better(rows, rank_by)
    rows.sort(key=lambda row: (_badness(row.centre(rank_by), direction), *_by_name(row)))
    for row in rows:
        if row.centre(rank_by) is not None:
            own = _badness(row.centre(rank_by), direction)
            row.rank = 1 + sum(_badness(other.centre(rank_by), direction) < own for other in rows)
    _name_differences(rows)
    return Table(*facts, columns, rows, _compare(rows, rank_by))


def _by_name(row):
    return row.method, row.networks, row.steps or 0


def better(rows, metric):
    """Which values of a metric are better: "lower", "higher" or "one"."""
    found = (entry.metrics[metric].get("better") for row in rows for entry in row.entries if metric in entry.metrics)
    return next(filter(None, found), "lower")


def _badness(value, direction):
    if value is None:
        return float("inf")
    return {"lower": value, "higher": -value, "one": abs(value - 1)}[direction]


def _compare(rows, metric):
    """Tests every two rows, and tells each row the outcomes."""
    measured = [row.measured(metric) for row in rows]
    pairs = list(itertools.combinations(range(len(rows)), 2))
    found = [difference(measured[i], measured[j]) for i, j in pairs]
    adjusted = holm([each.p for each in found])
    for (i, j), p in zip(pairs, adjusted):
        kind = "untested" if p is None else "unlike" if p < LEVEL else "alike"
        getattr(rows[i], kind).append(j)
        getattr(rows[j], kind).append(i)
    return [(i, j, each, p) for (i, j), each, p in zip(pairs, found, adjusted)]


def _name_differences(rows):
    """Says in what rows of one method differ, where their configs are known."""
    by_name = {}
    for row in rows:
        by_name.setdefault((row.method, row.networks), []).append(row)
    for group in by_name.values():
        configs = [dict(_flat(row.entries[0].config or {})) for row in group]
        if len(group) < 2:
            continue
        keys = sorted({key for config in configs for key in config} - {"seed"})
        differing = [key for key in keys if len({json.dumps(config.get(key)) for config in configs if config}) > 1]
        for row, config in zip(group, configs):
            named = [f"{key}={config[key]}" for key in differing if key in config]
            row.differs = ", ".join(named[:_MOST_NAMED]) + (", …" if len(named) > _MOST_NAMED else "")


def _flat(config, prefix=""):
    for key, value in config.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
