import json

from etils import epath

from export import model_card
from export.evaluation import metric
from export.metrics import intervals


def test_the_model_card_tells_what_it_is(version):
    card = json.loads((version / "assets.extra" / "model_card.json").read_text())
    assert card["objective"] == "minimax" and card["step"] == 7
    assert card["signatures"]["sample"]["inputs"] == {"seeds": {"dtype": "int64", "shape": [None]}}
    assert card["signatures"]["sample"]["outputs"] == {"images": {"dtype": "uint8", "shape": [None, 32, 32, 3]}}
    assert card["signatures"]["png"]["outputs"] == {"png_bytes": {"dtype": "string", "shape": [None]}}
    text = (version / "assets.extra" / "model_card.md").read_text()
    assert "| `sample` | `seeds` int64 [N] | `images` uint8 [N, 32, 32, 3] |" in text and "Not measured." in text
    assert model_card.read(version) == card


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
