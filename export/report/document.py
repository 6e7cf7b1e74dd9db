"""Puts together what report.json holds; `export.report` describes the format."""

import datetime
import os
import platform

from export.report import SCHEMA_VERSION


def compose(evaluation, *, generator, data, num_asked, first_seed=None, seeded=None, num_given=None):
    """Puts a report together in the format of `export.report`.

    Args:
        evaluation: `export.evaluation.result.Evaluation`.
        generator: dict, the report's "generator".
        data: `zoo.datasets.Dataset`.
        num_asked: number of samples that were asked for.
        first_seed: seed of the first sample; None for samples without a generator.
        seeded: whether the model itself turns seeds into samples; None likewise.
        num_given: how many samples there are without a generator, else None.

    Returns:
        The report, a dict of JSON values.
    """
    import tensorflow as tf

    report = {
        "schema_version": SCHEMA_VERSION,
        "generated": {
            "by": "tf-gan-zoo export.evaluate",
            "tensorflow": tf.__version__,
            "time": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "hardware": _hardware(),
        },
        "generator": generator,
        "data": {
            "source": data.name,
            "data_shape": list(data.data_shape),
            "num_classes": data.num_classes,
            "class_names": list(data.class_names) if data.class_names else None,
            "num_train": data.num_examples("train"),
            "num_test": data.num_examples("test"),
        },
        "sampling": {
            "num_samples": evaluation.num_samples,
            "num_asked": num_asked,
            "num_reference": evaluation.num_reference,
            **_told({"first_seed": first_seed, "seeded": seeded, "num_given": num_given}),
        },
        "features": evaluation.features,
        "metrics": evaluation.metrics,
        "classes": evaluation.classes,
        "pairs": _pairs(evaluation.pairs),
        "codes": evaluation.codes,
        "sections": evaluation.sections,
        "notes": evaluation.notes,
    }
    return _told(report)


def _told(facts):
    return {key: value for key, value in facts.items() if value is not None}


def _hardware():
    """Processors and accelerators of this machine, in words."""
    import tensorflow as tf

    devices = [
        tf.config.experimental.get_device_details(device).get("device_name", device.device_type)
        for device in tf.config.list_physical_devices()
        if device.device_type not in ("CPU", "XLA_CPU", "XLA_GPU")
    ]
    cores = os.cpu_count()
    return ", ".join([f"{cores} processor core{'s' * (cores != 1)} ({platform.machine()})", *devices])


def _pairs(pairs):
    """The nearest pairs as report.json has them, or None."""
    if pairs is None:
        return None
    other = {"copies": "training_index", "duplicates": "other_seed"}
    return {
        key: [{"seed": pair.seed, other[key]: pair.other, "distance": pair.distance} for pair in found]
        for key, found in pairs.items()
    }
