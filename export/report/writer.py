"""Writes a report: report.json, report.html (one file that needs no other), report.md, and its pictures."""

import json
import types

import numpy as np
from etils import epath

from export.report import pages, pictures
from zoo.files import write_whole


def write(report, evaluation, rows, directory, steps=types.MappingProxyType({})):
    """Writes a report and its pictures; every file appears whole, report.json last.

    Args:
        report: dict, of `document.compose`.
        evaluation: what it was composed of, for the pictures.
        rows: rows of a run's metrics.jsonl, or [].
        directory: where to; made if it is not there.
        steps: {step: encoded PNG} of samples that were drawn during training.

    Returns:
        epath.Path of report.html.

    Raises:
        OSError: the directory cannot be written.
    """
    directory = epath.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    drawn = pictures.draw(evaluation, rows)
    for name, content in drawn.items():
        write_whole(directory / f"{name}.png", content)
    for name, page in pages.render(report, drawn, evaluation.classes_of, rows, steps).items():
        write_whole(directory / name, page.encode())
    text = json.dumps(report, indent=2, allow_nan=False, default=_plain) + "\n"
    write_whole(directory / "report.json", text.encode())
    return directory / "report.html"


def _plain(value):
    """What JSON does not know: NumPy numbers, tuples inside configs."""
    return value.item() if isinstance(value, np.generic) else str(value)
