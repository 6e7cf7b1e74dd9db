"""Colour images in EfficientNet-Lite0's features: with labels and without, and an evaluation again."""

import numpy as np
import pytest
from by_hand import generator_of, labelled_generator_of

from export.evaluation.evaluator import evaluate
from export.metrics import features
from zoo import datasets
from zoo.datasets.arrays import ArrayDataset

_COLOURS = np.array([[200, 60, 60], [60, 200, 60], [60, 60, 200]])


def patches(labels, seed):
    """Noisy 8×8 patches of the colour of each label, uint8."""
    noise = np.random.default_rng(seed).normal(0.0, 25.0, (len(labels), 8, 8, 3))
    return np.uint8(np.clip(_COLOURS[labels][:, None, None] + noise, 0, 255))


@pytest.fixture
def data():
    labels = {"train": np.arange(90) % 3, "test": np.arange(60) % 3}
    arrays = {split: (patches(of, len(split)), of) for split, of in labels.items()}
    return ArrayDataset("patches", arrays, num_classes=3, class_names=("red", "green", "blue"))


@pytest.fixture
def unlabelled(data):
    arrays = {split: (data._tensors(split)[0].numpy(), None) for split in ("train", "test")}
    return ArrayDataset("unlabelled", arrays)


def test_labels_are_measured_by_a_classifier_on_the_features(data):
    def sample_with_labels(seeds, labels):
        return patches(np.where(labels == 2, 0, labels), 7)  # red where it is told blue

    generator = labelled_generator_of(sample_with_labels, lambda seeds: np.asarray(seeds) % 3, (8, 8, 3))
    found = evaluate(generator, data, num_samples=60)
    assert found.features["name"] == "efficientnet_lite0" and found.features["dim"] == 1280
    assert found.features["num_classes"] == 3 and found.features["test_accuracy"] > 0.95
    assert found.features["chance"] == pytest.approx(1 / 3, abs=1e-6)
    assert found.metrics["label_agreement"]["value"] == pytest.approx(2 / 3, abs=0.05)
    assert [entry["name"] for entry in found.classes] == ["red", "green", "blue"]
    assert found.classes[2]["share"] < 0.05 and found.classes[0]["share"] > 0.6
    assert found.metrics["class_divergence"]["value"] > 0.3
    score = found.metrics["classifier_score"]
    assert score["value"] < 2.2 and "at most 3." in score["about"]


def test_without_labels_what_needs_classes_is_absent(unlabelled):
    generator = generator_of(lambda seeds: patches(np.asarray(seeds) % 3, 5), (8, 8, 3))
    found = evaluate(generator, unlabelled, num_samples=60)
    assert found.features["name"] == "efficientnet_lite0" and found.features["num_classes"] == 1000
    assert found.classes is None and not {"class_divergence", "label_agreement"} & set(found.metrics)
    assert (
        not any("class" in note for note in found.notes)
        and "at most 1000." in found.metrics["classifier_score"]["about"]
    )
    assert {"frechet_distance", "kernel_distance", "precision", "recall"} <= set(found.metrics)
    flat = generator_of(lambda seeds: np.full((len(seeds), 8, 8, 3), 128, np.uint8), (8, 8, 3))
    flat = evaluate(flat, unlabelled, num_samples=60)
    assert flat.metrics["frechet_distance"]["value"] > 3 * found.metrics["frechet_distance"]["value"]


def test_the_second_evaluation_reads_what_the_first_one_kept(data, tmp_path, monkeypatch):
    monkeypatch.setenv("TF_GAN_ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("TF_GAN_ZOO_FEATURE_CACHE")
    generator = generator_of(lambda seeds: patches(np.asarray(seeds) % 3, 5), (8, 8, 3))
    seen = []
    load_features = features.load_features

    def counted(name):
        extractor = load_features(name)
        forward = extractor._forward

        def counting(images):
            seen.append(len(images))
            return forward(images)

        extractor._forward = counting
        return extractor

    monkeypatch.setattr(features, "load_features", counted)
    results = [evaluate(generator, data, num_samples=60) for _ in range(2)]
    # Training and test images once, the samples each time; and the first 60 of the 90, less than a whole batch.
    assert seen == [90, 60, 60, 60, 60, 60] and len(list((tmp_path / "cache" / "real_features").iterdir())) == 2
    assert results[0].metrics == results[1].metrics and results[0].features == results[1].features
    np.testing.assert_array_equal(results[0].reference, results[1].reference)
    assert datasets.load("digits").checksum("test") != data.checksum("test")
