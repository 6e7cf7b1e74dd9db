"""The index of a folder or a mirror of models: what an entry holds, and a table of entries."""

import hashlib
import json
import pathlib

from zoo.errors import RequestError
from zoo.options import OPTIONS, TEXT, whole

#: The models of this package.
HOME = pathlib.Path(__file__).parent
#: What an entry of the index holds. "metrics": {name: {"value", "low", "high"}}, low and high None without an interval.
#: "sha256" and "bytes" are those of the version's files, see `digest`.
SCHEMA = {
    "method": TEXT,
    "data": TEXT,
    "recipe": TEXT,
    "license": TEXT,
    "version": whole(1),
    "bytes": whole(1),
    "sha256": TEXT,
    "metrics": OPTIONS,
}
#: What an entry of a mirror's index holds beside: the path of a ZIP archive on the mirror, and its checksum.
ARCHIVE = {"file": TEXT, "sha256": TEXT}


class Models(list):
    """Rows of the index, dicts with "name" and the keys of SCHEMA; printed as a table."""

    def __str__(self):
        shown = list(dict.fromkeys(name for row in self for name in row["metrics"]))
        head = ["name", "method", "data", "MB", *shown]
        rows = [
            [
                row["name"],
                row["method"],
                row["data"],
                f"{row['bytes'] / 1e6:.1f}",
                *(f"{row['metrics'][name]['value']:.4g}" if name in row["metrics"] else "" for name in shown),
            ]
            for row in self
        ]
        widths = [max(map(len, column)) for column in zip(head, *rows)]
        lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in [head, *rows])
        return "\n".join(lines)

    def to_markdown(self, *metrics):
        """A Markdown table of the models with the values of `metrics`, and their intervals in brackets."""
        rows = [["model", *metrics], ["---"] * (1 + len(metrics))]
        for row in self:
            held = (row["metrics"].get(name) for name in metrics)
            rows.append([f"`{row['name']}`", *("" if metric is None else _with_interval(**metric) for metric in held)])
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _with_interval(value, low, high):
    return f"{value:.3g}" if low is None else f"{value:.3g} ({low:.3g} to {high:.3g})"


def parse(text, where):
    """The entries of an index: {name: entry}, sorted by name.

    Args:
        text: str or bytes, JSON: {"models": {name: entry}}.
        where: what messages call it.

    Raises:
        RequestError: it is no index, or an entry is not as SCHEMA and ARCHIVE say.
    """
    try:
        items = sorted(json.loads(text)["models"].items())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RequestError(f"{where}: no index of models ({error})") from error
    for name, entry in items:
        OPTIONS.check(entry, f"{where}, {name}")
        for key, values in SCHEMA.items():
            values.check(entry.get(key), f"{where}, {name}.{key}")
        if "archive" in entry:
            OPTIONS.check(entry["archive"], f"{where}, {name}.archive")
            for key, values in ARCHIVE.items():
                values.check(entry["archive"].get(key), f"{where}, {name}.archive.{key}")
    return dict(items)


def read(home=HOME):
    """The entries of the index in a folder of models.

    Raises:
        RequestError: it cannot be read, or as of `parse`.
    """
    path = pathlib.Path(home) / "index.json"
    try:
        text = path.read_bytes()
    except OSError as error:
        raise RequestError(f"{path}: no index of models ({error.strerror or error})") from error
    return parse(text, path)


def dump(entries):
    """Entries, {name: entry}, as the bytes of an index."""
    return (json.dumps({"models": dict(sorted(entries.items()))}, indent=2) + "\n").encode()


def digest(folder):
    """(SHA-256 of all files of a folder with their paths, their size in bytes)."""
    folder, found, size = pathlib.Path(folder), hashlib.sha256(), 0
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        found.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode())
        found.update(content)
        size += len(content)
    return found.hexdigest(), size
