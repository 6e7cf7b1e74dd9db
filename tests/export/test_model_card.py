import json
import re

import numpy as np
import tensorflow as tf
from etils import epath

from export import model_card
from export.evaluation import metric
from export.generators import Generator
from export.metrics import intervals
from zoo.pretrained import cards


def test_the_model_card_tells_what_it_is(version):
    card = json.loads((version / "assets.extra" / "model_card.json").read_text())
    assert card["objective"] == "minimax" and card["step"] == 7
    assert card["signatures"]["sample"]["inputs"] == {"seeds": {"dtype": "int64", "shape": [None]}}
    assert card["signatures"]["sample"]["outputs"] == {"images": {"dtype": "uint8", "shape": [None, 32, 32, 3]}}
    assert card["signatures"]["png"]["outputs"] == {"png_bytes": {"dtype": "string", "shape": [None]}}
    text = (version / "assets.extra" / "model_card.md").read_text()
    assert "| `sample` | `seeds` int64 [N] | `images` uint8 [N, 32, 32, 3] |" in text and "Not measured." in text
    assert cards.read(version) == card


def test_a_model_card_takes_reports_of_this_version_and_of_the_first(version, tmp_path):
    now = metric.entry(intervals.Interval(2.0, 1.0, 3.0, 0.9, "student"), "lower", "", num_samples=3)
    why_not = metric.entry(intervals.absent(2.0, "one block"), "lower", "", num_samples=3)
    first = {"value": 2.0, "interval": [1.0, 3.0], "level": 0.95, "method": "percentile", "resamples": 100}
    without = {"value": 2.0, "interval": None, "level": None}
    card, lines = version / "assets.extra" / "model_card.json", []
    for metrics in ({"a": why_not, "b": now}, {"a": without, "b": first}):
        tmp_path.joinpath("report.json").write_text(json.dumps({"metrics": metrics, "sections": {}}))
        folder = tmp_path / f"extra{len(lines)}"
        model_card.write(json.loads(card.read_text()), epath.Path(folder), tmp_path)
        lines += [line for line in (folder / "model_card.md").read_text().splitlines() if line[:3] in ("| a", "| b")]
    assert lines == [
        "| a | 2 | none (one block) |",
        "| b | 2 | 1 to 3 (90 %) |",
        "| a | 2 | none |",
        "| b | 2 | 1 to 3 (95 %) |",
    ]


def test_the_number_of_classes_is_that_of_the_generator(labelled_version, version):
    assert cards.read(labelled_version)["num_classes"] == 3
    assert "num_classes" not in cards.read(version)


def test_the_card_of_a_model_that_is_told_labels_says_how(version, labelled_version, tmp_path):
    folder = labelled_version / "assets.extra"
    text = (folder / "model_card.md").read_text()
    assert "| labels | told; the seed chooses one where none is given |" in text
    assert "int64 from 0 to 2, decides the class" in text and "- 0: shirt\n- 1: bag\n- 2: boot\n" in text
    # The lines that it gives work as they stand.
    snippets = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    found = {"tf": tf, "PATH": str(labelled_version)}
    for snippet in snippets:
        exec(snippet, found)
    np.testing.assert_array_equal(
        found["examples"], Generator.load(labelled_version).sample_with_labels(np.arange(64), np.zeros(64))
    )
    # Not by the number of classes, which data can have that a generator is not told.
    card = json.loads((version / "assets.extra" / "model_card.json").read_text())
    facts = {"num_classes": 3, "class_names": ["<b>", "bag", "boot"]}
    model_card.write(card | facts, epath.Path(tmp_path / "none"))
    assert "label" not in (tmp_path / "none" / "model_card.md").read_text()
    # Nor does it need to know them.
    card = json.loads((folder / "model_card.json").read_text())
    model_card.write(card | {"num_classes": None, "class_names": None}, epath.Path(tmp_path / "unknown"))
    text = (tmp_path / "unknown" / "model_card.md").read_text()
    assert "int64, decides the class" in text and "The classes" not in text
    model_card.write(card | facts, epath.Path(tmp_path / "evil"))
    assert "- 0: &lt;b&gt;\n" in (tmp_path / "evil" / "model_card.md").read_text()
