"""Entries by hand."""

from export.comparison.entries import Entry


def entry_of(method="a", seed=0, data=None, features="f", count=100, config=None, **metrics):
    """An `Entry` whose metrics are {name: (value, interval or None, better)}."""
    metrics = {
        name: {"value": value, "interval": interval, "level": 0.95, "better": better}
        for name, (value, interval, better) in metrics.items()
    }
    shared = {"data_shape": [8, 8, 1], "num_classes": 10, "class_names": None, "num_train": 5, "num_test": 5}
    return Entry(
        method,
        "dcgan",
        {"source": "digits", **shared, **(data or {})},
        count,
        count,
        metrics,
        {"name": features, "version": 1, "checksum": "0" * 64, "test_accuracy": 0.9},
        seed,
        10,
        640,
        7,
        config,
        report=f"reports/{method}_{seed}",
    )
