import numpy as np
import pytest
from entries_by_hand import entry_of

from export.comparison import tables


def test_seeds_are_one_row_with_their_mean_and_standard_deviation():
    values = [3.0, 5.0, 4.0]
    (table,) = tables.make(
        [entry_of("a", seed, frechet_distance=(value, [1, 9], "lower")) for seed, value in enumerate(values)]
        + [entry_of("b", frechet_distance=(2.0, [1.9, 2.1], "lower"))]
    )
    best, row = table.rows
    assert (best.method, best.rank, row.method, row.rank, row.seeds) == ("b", 1, "a", 2, [0, 1, 2])
    assert row.centre("frechet_distance") == pytest.approx(np.mean(values), rel=1e-12)
    assert row.std("frechet_distance") == pytest.approx(np.std(values, ddof=1), rel=1e-12)
    assert row.measured("frechet_distance") == (tuple(values), None, None)
    assert best.measured("frechet_distance") == ((2.0,), (1.9, 2.1), 0.95) and best.std("frechet_distance") is None
    assert row.mean("seconds") == 7 and row.steps == 10
    (_, _, found, p), *rest = table.comparisons
    assert not rest and p is None and found.reason == "one has a single seed" and row.untested == [0]


@pytest.mark.parametrize(
    "change",
    [
        {"data": {"source": "other"}},
        {"data": {"data_shape": [16, 16, 1]}},
        {"data": {"num_train": 6}},
        {"features": "g"},
        {"count": 99},
        {"psnr": (20.0, None, "higher")},
    ],
    ids=str,
)
def test_what_cannot_be_compared_is_in_two_tables(change):
    a = entry_of("a", frechet_distance=(1.0, None, "lower"))
    b = entry_of("b", **{"frechet_distance": (1.0, None, "lower"), **change})
    found = tables.make([a, b])
    assert [[row.method for row in table.rows] for table in found] in ([["a"], ["b"]], [["b"], ["a"]])
    assert len({table.title for table in found}) == 2


def test_other_numbers_of_samples_or_of_held_out_examples_are_another_table():
    a, b, c = (entry_of(name, frechet_distance=(1.0, None, "lower")) for name in "abc")
    b.num_samples, c.num_reference = 99, 99
    assert len(tables.make([a, b, c])) == 3


def test_a_classifier_that_was_trained_anew_is_another_feature_space():
    a, b = (entry_of(name, frechet_distance=(1.0, None, "lower")) for name in "ab")
    b.features = {**b.features, "checksum": "1" * 64}
    assert len(tables.make([a, b])) == 2


@pytest.mark.parametrize(
    "better, order", [("lower", ["b", "a", "c", "d"]), ("higher", ["c", "a", "b", "d"]), ("one", ["a", "b", "c", "d"])]
)
def test_ranks_follow_what_is_better_and_a_missing_value_comes_last(better, order):
    values = {"a": 1.1, "b": 0.7, "c": 3.0, "d": None}
    (table,) = tables.make(
        [entry_of(name, density=(value, None, better)) for name, value in values.items()], ["density"]
    )
    assert [row.method for row in table.rows] == order
    assert [row.rank for row in table.rows] == [1, 2, 3, None] and table.better == better


def test_equal_values_share_a_rank():
    values = {"a": 2.0, "b": 1.0, "c": 1.0}
    (table,) = tables.make([entry_of(name, frechet_distance=(value, None, "lower")) for name, value in values.items()])
    assert [(row.method, row.rank) for row in table.rows] == [("b", 1), ("c", 1), ("a", 3)]


def test_the_rows_know_which_they_cannot_be_told_from_after_holm():
    def seeds(name, values):
        return [entry_of(name, seed, frechet_distance=(value, None, "lower")) for seed, value in enumerate(values)]

    near = [1.0, 1.2, 1.1, 0.9, 1.05, 1.15]
    (table,) = tables.make(
        [
            *seeds("near", near),
            *seeds("too", np.array(near) + 0.06),
            *seeds("far", np.array(near) + 5),
            entry_of("one", frechet_distance=(9.0, [8, 10], "lower")),
        ]
    )
    rows = {row.method: row for row in table.rows}
    assert [row.method for row in table.rows] == ["near", "too", "far", "one"]
    assert (rows["near"].alike, rows["near"].unlike, rows["near"].untested) == ([1], [2], [3])
    assert (rows["far"].alike, rows["far"].unlike, rows["far"].untested) == ([], [0, 1], [3])
    assert rows["one"].untested == [0, 1, 2] and len(table.comparisons) == 6
    tested = [(found.p, p) for _, _, found, p in table.comparisons if p is not None]
    assert [p for p, _ in tested].count(1 / 10_000) == 2
    # Three tests: the two smallest p-values times 3, the largest as it is.
    assert sorted(p for _, p in tested)[:2] == pytest.approx([3 / 10_000, 3 / 10_000])


def test_rows_of_one_method_say_in_what_they_differ():
    configs = [
        {"seed": seed, "train": {"steps": steps, "batch": 4}, "generator": {"z": z}}
        for seed, steps, z in ((0, 9, 2), (1, 9, 2), (0, 10, 2), (0, 10, 3))
    ]
    entries = [
        entry_of("a", config["seed"], config=config, frechet_distance=(place, None, "lower"))
        for place, config in enumerate(configs)
    ]
    (table,) = tables.make([*entries, entry_of("b", config=configs[0], frechet_distance=(9.0, None, "lower"))])
    assert [row.differs for row in table.rows] == [
        "generator.z=2, train.steps=9",
        "generator.z=2, train.steps=10",
        "generator.z=3, train.steps=10",
        "",
    ]


def test_columns_are_those_asked_for_or_the_usual_ones_that_there_are():
    entry = entry_of("a", recall=(0.5, None, "higher"), frechet_distance=(1.0, None, "lower"), other=(1, None, "lower"))
    assert list(tables.make([entry])[0].columns) == ["frechet_distance", "recall"]
    (asked,) = tables.make([entry], ["other", "recall", "missing"])
    assert asked.columns == {"other": "other", "recall": "recall"} and asked.rank_by == "other"
    (none,) = tables.make([entry_of("a", other=(1, None, "lower"))])
    assert none.columns == {} and none.rank_by is None and none.rows[0].rank is None


def test_the_untrained_value_is_told_where_all_agree():
    a, b = (entry_of(name, frechet_distance=(1.0, None, "lower")) for name in "ab")
    a.metrics["frechet_distance"]["untrained"] = 185.91
    assert tables.make([a, b])[0].untrained == {"frechet_distance": "185.9"}
    b.metrics["frechet_distance"]["untrained"] = 185.93
    assert tables.make([a, b])[0].untrained == {"frechet_distance": "185.9"}
    b.metrics["frechet_distance"]["untrained"] = 186.2
    assert tables.make([a, b])[0].untrained == {}
