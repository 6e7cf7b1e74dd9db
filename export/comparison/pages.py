"""Tables of comparison in Markdown, and as one HTML file that needs no other."""

import base64
import datetime
import html
import io

import jinja2
import markupsafe
from etils import epath

from export.comparison import significance
from export.comparison.tables import LEVEL

SCHEMA_VERSION = 1
#: Width of a thumbnail in pixels; a page shows it at half of that.
_THUMBNAIL = 192
_BETTER = {"lower": "lower is better", "higher": "higher is better", "one": "1 is best"}


def markdown(tables, title="Leaderboard", about=""):
    """The tables in Markdown.

    Args:
        tables: `export.comparison.tables.Table`s.
        title: heading of the page.
        about: a paragraph to stand below it, or "".
    """
    lines = [f"# {title}", "", *([about, ""] if about else []), _READING]
    for table in tables:
        heads = [*(["rank"] if table.columns else []), "method", "networks", *table.columns.values()]
        heads += ["not told apart from", "seeds", "steps", "images seen", "seconds"]
        lines += ["", f"## {table.title}", "", _about(table), "", f"| {' | '.join(map(_cell, heads))} |"]
        lines.append("|" + "---|" * len(heads))
        notes = _notes(table)
        for row in table.rows:
            mark = f" ({notes[row.provenance]})" if row.provenance else ""
            differs = f" ({_cell(row.differs)})" if row.differs else ""
            cells = [*([_or_none(row.rank)] if table.columns else []), f"`{_code(row.method)}`{differs}{mark}"]
            cells += [_cell(row.networks), *(_metric(row, metric) for metric in table.columns)]
            cells += [_told(row, table), _spans(row.seeds) or "—", _or_none(row.steps)]
            cells += [_or_none(row.mean("images_seen")), _or_none(row.mean("seconds"))]
            lines.append(f"| {' | '.join(cells)} |")
        for why, number in notes.items():
            lines += ["", f"({number}) {_cell(why)}."]
        if tested := _tests(table):
            lines += ["", tested]
    return "\n".join(lines) + "\n"


def page(tables, title="Leaderboard"):
    """The tables as one HTML file that needs no other: sorted by a click on a column's head."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("export", "comparison"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(count=_or_none, thumbnail=_thumbnail)
    return environment.get_template("leaderboard.html.jinja").render(
        tables=tables,
        title=title,
        reading=_READING,
        about=_about,
        tests=_tests,
        notes=_notes,
        told=_told,
        value=_value,
        detail=_detail,
        breakable=_breakable,
        spans=_spans,
        reports=sum(len(row.entries) for table in tables for row in table.rows),
    )


def headline(table):
    """The first row of a table in a line, for a terminal."""
    first = table.rows[0]
    if not table.columns:
        return f"{table.title}: {len(table.rows)} rows, without a metric to rank by"
    told = _told(first, table)
    told = {"—": "", "not tested": "; not tested"}.get(told, f"; not told apart from: {told}")
    value = f"{table.columns[table.rank_by]} {_metric(first, table.rank_by)}"
    return f"{table.title}: {first.method} is first of {len(table.rows)}, {value}{told}"


def to_json(tables):
    """The tables in the format of `export.comparison`, a dict of JSON values."""
    return {
        "schema_version": SCHEMA_VERSION,
        "generated": {
            "by": "tf-gan-zoo export.leaderboard",
            "time": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        },
        "tables": [_table_to_json(table) for table in tables],
    }


def _table_to_json(table):
    keys = ("source", "data_shape", "num_classes", "class_names", "num_train", "num_test")
    return {
        "data": {key: table.data.get(key) for key in keys},
        "features": table.features,
        "num_samples": table.num_samples,
        "rank_by": table.rank_by,
        "rows": [_row_to_json(row, table) for row in table.rows],
        "comparisons": [
            {"rows": [i, j], "p": found.p, "adjusted_p": p, "test": found.test, "reason": found.reason}
            for i, j, found, p in table.comparisons
        ],
    }


def _row_to_json(row, table):
    metrics = {}
    for metric in table.columns:
        values, interval, level = row.measured(metric)
        metrics[metric] = {
            "mean": row.centre(metric),
            "std": row.std(metric),
            "values": list(values),
            "interval": interval and list(interval),
            "level": level,
            "of": row.of(metric),
        }
    return {
        "method": row.method,
        "networks": row.networks,
        "differs": row.differs,
        "rank": row.rank,
        "seeds": row.seeds or None,
        "steps": row.steps,
        "images_seen": row.mean("images_seen"),
        "seconds": row.mean("seconds"),
        "reports": [entry.report for entry in row.entries if entry.report] or None,
        "provenance": row.provenance,
        "metrics": metrics,
    }


_READING = (
    "A row is a method; runs of it that differ only in the seed are one row, with the mean ± the standard deviation "
    "over the seeds. One seed has the interval over its samples, at 95 %. Tables hold what may be compared: the same "
    "data, features and number of samples."
)


def _about(table):
    """What the rows of a table share, and how they are ranked, in sentences."""
    shape = "×".join(map(str, table.data["data_shape"]))
    shape = shape if "×" in shape else f"Points in {shape} dimensions"
    features = ""
    if table.features:
        accuracy = table.features.get("test_accuracy")
        features = f", features of {table.features['name']}"
        features += f" ({100 * accuracy:.4g} % test accuracy)" if accuracy else ""
    sentences = [f"{shape}{features}, {table.num_samples:,} samples a row."]
    if table.columns:
        by = f"Ranked by {table.columns[table.rank_by]}, {_BETTER[table.better]}"
        untrained = table.untrained.get(table.rank_by)
        sentences.append(f"{by}{f'; an untrained generator has {untrained}' if untrained else ''}.")
    return " ".join(sentences)


def _tests(table):
    """How differences were tested, and how often, in sentences; "" where there is one row only."""
    found = [each for _, _, each, _ in table.comparisons]
    if not found:
        return ""
    used = {test: sum(each.test == test for each in found) for test in significance.TESTS}
    tested = sum(used.values())
    parts = [f"by {about} ({used[test]:,} pairs)" for test, about in significance.TESTS.items() if used[test]]
    sentences = []
    if tested:
        sentences.append(
            f"Two rows count as told apart where p < {LEVEL:g} by Holm's correction for {tested:,} "
            f"{'pair' if tested == 1 else 'pairs'}, tested {'; '.join(parts)}."
        )
    reasons = {}
    for each in found:
        if each.p is None:
            reasons[each.reason] = reasons.get(each.reason, 0) + 1
    if reasons:
        told = "; ".join(f"{reason} ({number:,} pairs)" for reason, number in reasons.items())
        sentences.append(f"Not tested: {told}.")
    return " ".join(sentences).replace("(1 pairs)", "(1 pair)")


def _notes(table):
    """{why a row's numbers are less than a report's: its number}."""
    whys = dict.fromkeys(row.provenance for row in table.rows if row.provenance)
    return {why: number for number, why in enumerate(whys, 1)}


def _told(row, table):
    """Which rows it could not be told from, by rank, and how many were not tested."""
    others = len(table.rows) - 1
    if not others or not table.columns:
        return "—"
    if len(row.untested) == others:
        return "not tested"
    alike = _spans([table.rows[index].rank for index in row.alike])
    return (alike or "none") + (f"; {len(row.untested)} not tested" if row.untested else "")


def _spans(numbers):
    """ "1–3, 5" for [1, 2, 3, 5]."""
    spans = []
    for number in sorted({number for number in numbers if number is not None}):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(str(low) if low == high else f"{low}–{high}" for low, high in spans)


def _value(row, metric):
    """The metric's number as text: mean ± standard deviation over several seeds."""
    values = row.measured(metric).values
    if not values:
        return "—"
    total = f" of {row.of(metric)}" if row.of(metric) is not None else ""
    if len(values) == 1:
        return f"{values[0]:.3g}{total}"
    return f"{row.centre(metric):.3g} ± {row.std(metric):.2g}{total}"


def _detail(row, metric):
    """The interval of one run, or how many seeds a mean is over; "" where there is neither."""
    measured = row.measured(metric)
    if measured.interval:
        return "{:.3g} to {:.3g}".format(*measured.interval)
    return f"{len(measured.values)} seeds" if len(measured.values) > 1 else ""


def _metric(row, metric):
    interval = row.measured(metric).interval
    return _value(row, metric) + (" ({:.3g} to {:.3g})".format(*interval) if interval else "")


def _thumbnail(row):
    """A data: URI of the first entry's samples, small; "" where there is no picture."""
    from PIL import Image

    for entry in row.entries:
        path = entry.report and epath.Path(entry.report) / "samples.png"
        if not path or not path.exists():
            continue
        try:
            with Image.open(io.BytesIO(path.read_bytes())) as picture:
                picture = picture.convert("RGB")
        except OSError:  # a picture is no reason to go without the numbers
            continue
        picture.thumbnail((_THUMBNAIL, _THUMBNAIL), Image.Resampling.LANCZOS)
        encoded = io.BytesIO()
        picture.save(encoded, "JPEG", quality=85)
        return "data:image/jpeg;base64," + base64.b64encode(encoded.getvalue()).decode()
    return ""


def _breakable(text):
    """Markup of a name that may be broken after each underscore."""
    return markupsafe.Markup("_<wbr>").join(text.split("_"))


def _or_none(number):
    return "—" if number is None else f"{number:,}"


def _cell(text):
    """Text for a cell of a Markdown table: no cell ends early, no tag opens."""
    return html.escape(" ".join(str(text).split()), quote=False).replace("|", "\\|")


def _code(text):
    # Within backquotes a tag cannot open, but the cell could end.
    return " ".join(str(text).split()).replace("`", "'").replace("|", "\\|")
