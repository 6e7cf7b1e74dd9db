"""Label agreement, against counts by hand and SciPy's Wilson interval."""

import numpy as np
import pytest
import scipy.stats
from by_hand import labelled_generator_of

from export.evaluation import label_agreement, point_metrics
from export.evaluation.context import ImageContext, PointContext
from export.evaluation.evaluator import evaluate
from export.metrics.classification_accuracy import right_after_training
from export.metrics.features import load_features
from zoo import datasets


def wilson(hits, count):
    interval = scipy.stats.binomtest(int(hits), int(count)).proportion_ci(0.95, method="wilson")
    return pytest.approx([interval.low, interval.high], rel=1e-9)


def test_samples_that_disobey_one_label_disagree_in_it_alone(told, obedient, digits):
    labels = obedient.labels(np.arange(304))
    seen = load_features("digits_cnn_v1").extract(obedient.sample(np.arange(304)))[1].argmax(axis=1)
    entry = told.metrics["label_agreement"]
    assert entry["value"] == np.mean(seen == labels) and entry["better"] == "higher"
    assert entry["interval"] == wilson(np.sum(seen == labels), 304) and entry["level"] == 0.95
    assert entry["num_samples"] == 304 and entry["num_reference"] is None
    # The classifier has learnt the training images by heart: every label is beside its own image.
    assert entry["real"] > 0.995
    x, y = digits.arrays("test")
    assert (
        f"of the test images it is right on {np.mean(load_features('digits_cnn_v1').accuracy(x, y)):.1%}."
        in (entry["about"])
    )
    for label, entry in enumerate(told.classes):
        of_label = seen[labels == label]
        assert entry["agreement"] == np.mean(of_label == label)
        assert entry["agreement_interval"] == wilson(np.sum(of_label == label), len(of_label))
        assert entry["real_agreement"] > 0.98
    assert [entry["agreement"] < 0.1 for entry in told.classes] == [label == 8 for label in range(10)]
    note = "In 1 of 10 classes fewer than half of the samples agree with their label: 8 (0%)."
    assert told.notes[-1] == note and len(told.notes) == 3


def test_what_training_examples_reach_is_that_of_those_in_the_samples_place(told, digits):
    batches = digits.batches("train", 304, seed=0, labels=True).take(1).as_numpy_iterator()
    (batch,) = batches
    seen = load_features("digits_cnn_v1").extract(batch.x)[1].argmax(axis=1)
    right = seen == batch.conditions["label"]
    assert told.metrics["label_agreement"]["real"] == np.mean(right)
    for label, entry in enumerate(told.classes):
        assert entry["real_agreement"] == np.mean(right[batch.conditions["label"] == label])


def test_labels_change_no_other_number(told, obedient, digits):
    plain = evaluate(type(obedient)(obedient.sample, obedient.generate, 2, (8, 8, 1), 0), digits)
    of_labels = {"label_agreement", "classification_accuracy_score"}
    names = [name for name in told.metrics if name not in of_labels]
    assert list(plain.metrics) == names
    # Pairs of samples are of one class where the generator is told labels.
    assert plain.metrics["ms_ssim"]["value"] < told.metrics["ms_ssim"]["value"]
    assert all(plain.metrics[name] == told.metrics[name] for name in names if name != "ms_ssim")
    for with_labels, without in zip(told.classes, plain.classes):
        assert without == {key: with_labels[key] for key in ("name", "share", "interval", "reference_share")}
    np.testing.assert_array_equal(plain.samples, told.samples)
    np.testing.assert_array_equal(plain.reference, told.reference)
    assert plain.samples_by_class is None and plain.notes == told.notes[:-1]
    assert plain.sections == told.sections


def test_a_set_has_its_labels(obedient, digits, extractor):
    context = ImageContext(extractor, obedient, digits, num_samples=300, first_seed=5, untrained=obedient)
    expected = obedient.labels(np.arange(5, 305))
    np.testing.assert_array_equal(context.labels(context.samples), expected)
    np.testing.assert_array_equal(context.labels(context.untrained), expected)
    for split, images in (("train", context.training), ("test", context.held_out)):
        # Across batches of 256, the last of them cut.
        x, y = digits.arrays(split)
        label = {row.tobytes(): number for row, number in zip(x, y)}
        batches = list(digits.batches(split, 256, seed=0).take(2).as_numpy_iterator())
        read = np.concatenate([batch.x for batch in batches])[:300]
        assert list(context.labels(images)) == [label[row.tobytes()] for row in read]
        np.testing.assert_array_equal(images.features, extractor.extract(read)[0])


def test_points_agree_where_they_are_nearest_to_the_mode_of_their_label(ring):
    labels = np.arange(1000) % 8
    labels[labels == 6] = 5  # no sample is made for mode 6
    modes = np.where(np.arange(1000) < 100, (labels + 1) % 8, labels)

    def sample_with_labels(seeds, told):
        return ring.modes[modes[seeds]] + 0.5 * (np.arange(len(seeds)) % 2)[:, None]

    generator = labelled_generator_of(sample_with_labels, lambda seeds: labels[seeds], (2,))
    found = evaluate(generator, ring, num_samples=1000)
    points = generator.sample(np.arange(1000))
    nearest = np.linalg.norm(points[:, None] - ring.modes, axis=2).argmin(axis=1)
    entry = found.metrics["label_agreement"]
    assert entry["value"] == np.mean(nearest == labels) and entry["interval"] == wilson(np.sum(nearest == labels), 1000)
    assert entry["real"] == 1.0
    for mode, entry in enumerate(found.classes):
        of_mode = nearest[labels == mode]
        if mode == 6:
            assert entry["agreement"] is None and entry["agreement_interval"] is None
        else:
            assert entry["agreement"] == np.mean(of_mode == mode)
            assert entry["agreement_interval"] == wilson(np.sum(of_mode == mode), len(of_mode))
        assert entry["real_agreement"] == 1.0
    shown = found.samples_by_class
    assert list(shown) == [str(mode) for mode in range(8) if mode != 6]
    np.testing.assert_array_equal(shown["3"], points[labels == 3])


def test_the_interval_covers_the_share_of_the_generator():
    ring, rng = datasets.load("ring?modes=4"), np.random.default_rng(3)
    (row,) = [row for row in point_metrics.METRICS if row.name == "label_agreement"]

    def covers():
        labels, followed = rng.integers(4, size=150), rng.random(150) < 0.8
        points = ring.modes[np.where(followed, labels, (labels + 1) % 4)]
        generator = labelled_generator_of(lambda seeds, told: points[seeds], lambda seeds: labels[seeds], (2,))
        context = PointContext(generator, ring, num_samples=150)
        interval = row.interval(context, context.samples)
        return interval.low <= 0.8 <= interval.high

    assert 0.92 <= np.mean([covers() for _ in range(400)]) <= 0.98


def test_there_is_none_without_classes_to_see():
    data = datasets.load("two_segments")
    generator = labelled_generator_of(lambda seeds, labels: np.zeros([len(seeds), 2]), lambda seeds: seeds % 2, (2,))
    found = evaluate(generator, data, num_samples=100)
    assert "label_agreement" not in found.metrics and found.classes is None
    assert list(found.samples_by_class) == ["0", "1"]


def test_a_note_names_the_worst_classes_first():
    shares = [0.49, 0.5, None, 0.1, 0.3, 0.2, 0.4]
    classes = [{"name": f"c{index}", "agreement": share} for index, share in enumerate(shares)]
    assert label_agreement.notes(classes, "mode") == [
        "In 5 of 7 modes fewer than half of the samples agree with their label: "
        "c3 (10%), c5 (20%), c4 (30%), c6 (40%), …"
    ]
    assert label_agreement.notes(classes[1:3], "class") == label_agreement.notes(None, "mode") == []
    assert label_agreement.notes([{"name": "c0"}], "class") == []


def test_images_are_shown_by_class_the_same_seeds_under_each(obedient, digits, extractor):
    context = ImageContext(extractor, obedient, digits, num_samples=40, first_seed=11)
    shown = context.shown_by_class
    assert list(shown) == [str(label) for label in range(10)]
    for label, images in shown.items():
        np.testing.assert_array_equal(images, obedient.sample_with_labels(np.arange(11, 19), np.full(8, int(label))))


def test_a_classifier_that_learnt_from_the_samples_is_tried_on_test_images(told, good, obedient, digits):
    entry = told.metrics["classification_accuracy_score"]
    features, labels = load_features("digits_cnn_v1").extract(obedient.sample(np.arange(304)))[0], np.arange(304)
    (test,) = digits.batches("test", 304, seed=0, labels=True).take(1).as_numpy_iterator()
    test_features = load_features("digits_cnn_v1").extract(test.x)[0]
    right = right_after_training(features, obedient.labels(labels), test_features, test.conditions["label"])
    assert entry["value"] == pytest.approx(right.mean(), abs=0.01)
    # Samples made for eights are threes, so that no test image is called an eight; seeds prefer nines.
    assert entry["value"] < 0.92 < 0.96 < entry["real"] and entry["interval"][0] < entry["value"] < entry["interval"][1]
    assert "logistic regression" in entry["about"] and "classification_accuracy_score" not in good.metrics
