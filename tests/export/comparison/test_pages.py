import json
import re

import pytest
from entries_by_hand import entry_of

from export.comparison import pages, tables


@pytest.fixture
def made():
    """A table of two methods, one of three seeds, another of points, and one without a known training."""
    seeds = [
        entry_of("least_squares", seed, frechet_distance=(value, None, "lower"), recall=(0.5, [0.4, 0.6], "higher"))
        for seed, value in enumerate((12.25, 14.5, 13.0))
    ]
    other = entry_of("wgan <b>|x", frechet_distance=(9.876, [9.1, 10.9], "lower"))
    other.provenance = "measured before: no interval"
    points = entry_of("b", data={"source": "ring", "data_shape": [2]}, modes_found=(7, None, "higher"))
    points.metrics["modes_found"]["of"], points.seed, points.seconds, points.features = 8, None, None, None
    return tables.make([*seeds, other, points])


def test_the_markdown_has_a_line_for_each_row(made):
    text = pages.markdown(made, "Title", "About.")
    assert text.startswith("# Title\n\nAbout.\n\n") and text.endswith("\n") and not re.search(" $", text, re.MULTILINE)
    lines = text.splitlines()
    assert (
        "| 1 | `wgan <b>\\|x` (1) | dcgan | 9.88 (9.1 to 10.9) | — | not tested | 0 | 10 | 640 | 7 |" in lines
        and "| 2 | `least_squares` | dcgan | 13.2 ± 1.1 | 0.5 ± 0 | not tested | 0–2 | 10 | 640 | 7 |" in lines
    )
    assert "| 1 | `b` | dcgan | 7 of 8 | — | — | 10 | 640 | — |" in lines
    assert "(1) measured before: no interval." in lines and "## digits" in lines and "## ring" in lines
    assert "Not tested: one has a single seed (1 pair)." in lines
    assert "8×8×1, features of f (90 % test accuracy), 100 samples a row. Ranked by Fréchet distance" in text
    assert "Points in 2 dimensions, 100 samples a row. Ranked by modes found, higher is better." in lines
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1


def test_the_page_holds_the_numbers_and_needs_nothing_from_outside(made, tmp_path):
    page = pages.page(made)
    assert not re.search(r"(src|href)=\"(?!data:)|url\(|@import|https?:", page)
    assert "<b>|x" not in page and "wgan &lt;b&gt;|x" in page
    assert "13.2 ± 1.1<small>3 seeds</small>" in page and "9.88<small>9.1 to 10.9</small>" in page
    assert page.count("<section>") == 2 and "5 reports." in page


def test_the_words_for_the_tests_count_the_pairs():
    values = (1.0, 1.2, 1.1, 0.9, 1.05, 1.15)
    entries = [
        entry_of(name, seed, frechet_distance=(value + shift, None, "lower"))
        for name, shift, count in (("a", 0.0, 6), ("b", 0.01, 6), ("c", 0.02, 3))
        for seed, value in enumerate(values[:count])
    ]
    text = pages._tests(tables.make(entries)[0])
    assert text.startswith("Two rows count as told apart where p < 0.05 by Holm's correction for 3 pairs, tested by a")
    assert (
        "9,999 resamples under the hypothesis of equal means (Efron & Tibshirani 1993, algorithm 16.2) (1 pair)" in text
    )
    assert "by Welch's t-test over the seeds, two to four of one" in text and text.endswith("(2 pairs).")
    assert "intervals" not in text and "Not tested" not in text
    (table,) = tables.make(entries)
    told = [pair["adjusted_p"] for pair in pages.to_json([table])["tables"][0]["comparisons"]]
    # Three equal methods: none is left below 1 by a threefold p-value.
    assert told == [p for *_, p in table.comparisons] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    "ranks, text", [([], ""), ([3], "3"), ([1, 2, 3, 5], "1–3, 5"), ([2, 2, 4, None], "2, 4"), ([7, 8], "7–8")]
)
def test_ranks_in_a_row_are_a_span(ranks, text):
    assert pages._spans(ranks) == text


def test_the_json_has_every_number(made):
    report = json.loads(json.dumps(pages.to_json(made), allow_nan=False))
    digits, ring = report["tables"]
    assert report["schema_version"] == 1 and digits["rank_by"] == "frechet_distance"
    first, second = digits["rows"]
    assert second["metrics"]["frechet_distance"] == {
        "mean": 13.25,
        "std": pytest.approx(1.1456, abs=1e-4),
        "values": [12.25, 14.5, 13.0],
        "interval": None,
        "level": None,
        "of": None,
    }
    assert first["metrics"]["frechet_distance"]["interval"] == [9.1, 10.9] and first["rank"] == 1
    assert second["reports"] == [f"reports/least_squares_{seed}" for seed in range(3)] and second["seeds"] == [0, 1, 2]
    pair = {"rows": [0, 1], "p": None, "adjusted_p": None, "test": None, "reason": "one has a single seed"}
    assert digits["comparisons"] == [pair]
    assert (
        ring["features"] is None
        and ring["rows"][0]["seeds"] is None
        and ring["rows"][0]["metrics"]["modes_found"]["of"] == 8
    )


def test_the_first_row_is_told_on_the_terminal(made):
    assert pages.headline(made[0]) == (
        "digits: wgan <b>|x is first of 2, Fréchet distance 9.88 (9.1 to 10.9); not tested"
    )
