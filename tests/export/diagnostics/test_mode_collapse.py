import numpy as np
import pytest

from export.diagnostics import mode_collapse
from export.metrics.toy import exact_wasserstein


def test_a_thin_class_is_partial_collapse():
    shares = [0.02, 0.18] + [0.1] * 8
    classes = [{"name": f"c{i}", "share": share, "reference_share": 0.1} for i, share in enumerate(shares)]
    manifold = {name: {"value": 0.8, "real": 0.9} for name in ("precision", "density", "recall", "coverage")}
    section = mode_collapse.of_images(manifold, classes)
    assert section["level"] == "partial" and "1 thin (class c0)" in section["verdict"]
    assert section["rests_on"]["classes_thin"] == 1 and section["rests_on"]["smallest_share"] == 0.02


def manifold(precision, density, recall, coverage):
    values = {"precision": precision, "density": density, "recall": recall, "coverage": coverage}
    return {
        name: {"value": value, "real": real} for (name, value), real in zip(values.items(), (0.92, 1.0, 0.93, 0.96))
    }


def balance(*shares):
    return [{"name": str(label), "share": share, "reference_share": 0.1} for label, share in enumerate(shares)]


def test_a_generator_that_is_not_trained_yet_has_not_collapsed():
    # A DCGAN on Fashion-MNIST after 300 steps.
    section = mode_collapse.of_images(
        manifold(0.71, 0.53, 0.30, 0.17), balance(0.25, 0.04, *[0.09] * 8), 0.89, 1.1, 0.82
    )
    assert section["level"] == "none" and "not trained well enough to tell" in section["verdict"].partition(";")[0]
    assert "more steps" in section["try_next"]
    # The same without classes.
    assert mode_collapse.of_images(manifold(0.71, 0.53, 0.30, 0.17), None, 0.89, 1.1, 0.82)["level"] == "none"
    # Missing classes count, and lead, unless the samples are like nothing.
    missing = balance(0.5, 0.5, *[0.0] * 8)
    section = mode_collapse.of_images(manifold(0.71, 0.53, 0.30, 0.17), missing, 0.89, 1.1, 0.82)
    assert section["level"] == "severe" and "8 missing" in section["verdict"].partition(";")[0]
    section = mode_collapse.of_images(manifold(0.1, 0.1, 0.0, 0.01), missing, 0.89, 1.1, 0.82)
    assert section["level"] == "none"


def test_samples_in_a_part_of_the_data_have_collapsed():
    for recall, coverage, level in ((0.1, 0.1, "severe"), (0.4, 0.1, "partial"), (0.9, 0.9, "none")):
        section = mode_collapse.of_images(manifold(0.9, 1.2, recall, coverage), balance(*[0.1] * 10))
        assert section["level"] == level
        leads = "within reach" if level != "none" else "all 10 classes are there"
        assert leads in section["verdict"].partition(";")[0]


def points(found, quality, shares):
    counts = {"modes_found": {"value": found, "of": 8}, "high_quality_share": {"value": quality, "real": 0.99}}
    return counts, [{"name": str(mode), "share": share, "reference_share": 0.125} for mode, share in enumerate(shares)]


def test_blurred_points_have_not_collapsed_unless_they_are_one_point():
    blurred = points(1, 0.02, [1.0] + [0.0] * 7)
    section = mode_collapse.of_modes(*blurred, spread=0.9)
    assert section["level"] == "none" and "blurred or not trained yet" in section["verdict"].partition(";")[0]
    assert mode_collapse.of_modes(*blurred, spread=0.05)["level"] == "severe"
    section = mode_collapse.of_modes(*points(6, 0.9, [1 / 6] * 6 + [0.0] * 2), spread=1.0)
    assert section["level"] == "partial" and "6 of 8 modes found" in section["verdict"].partition(";")[0]


def test_blurred_and_noisy_images_have_not_collapsed_whatever_a_classifier_sees_in_them():
    missing = balance(0.5, 0.5, *[0.0] * 8)
    for sharp, what in ((0.4, "blurred"), (2.5, "noisy")):
        section = mode_collapse.of_images(manifold(0.9, 1.0, 0.1, 0.1), missing, 0.8, 1.0, sharp)
        assert section["level"] == "none" and f"they are {what}" in section["verdict"].partition(";")[0]
    assert mode_collapse.of_images(manifold(0.9, 1.0, 0.1, 0.1), missing, 0.8, 1.0, 0.9)["level"] == "severe"


def on_data(samples, held_out, training):
    return zip(*(mode_collapse.on_data(points, held_out) for points in (samples, training)))


def uniform(rng, *more):
    return rng.uniform(-1.0, 1.0, (1000, 1, *more))


@pytest.mark.parametrize(
    "make, level, told",
    [
        (uniform, "none", "No mode collapse seen"),
        # Half of the support, and a twentieth.
        (lambda rng: np.abs(uniform(rng)), "severe", "Severe"),
        (
            lambda rng: np.where(rng.uniform(size=(1000, 1)) < 0.35, -1.0, 1.0) * np.abs(uniform(rng)),
            "partial",
            "Partial",
        ),
        (lambda rng: 0.05 * uniform(rng), "severe", "one point again and again"),
        # Samples beside the data are no collapse, however far they have to move.
        (lambda rng: 1.0 + 2.0 * rng.normal(size=(1000, 1)), "none", "not trained well enough"),
        (lambda rng: 5.0 + uniform(rng), "none", "not trained well enough"),
    ],
)
@pytest.mark.parametrize("seed", range(5))
def test_points_without_modes(make, level, told, seed):
    rng = np.random.default_rng(seed)
    samples, held_out, training = make(rng), uniform(rng), uniform(rng)
    real = np.mean([exact_wasserstein(uniform(rng), held_out) for _ in range(5)])
    metrics = {"exact_wasserstein": {"value": exact_wasserstein(samples, held_out), "real": real}}
    spread = samples.std() / held_out.std()
    section = mode_collapse.of_points(metrics, *on_data(samples, held_out, training), spread)
    assert section["level"] == level and told in section["verdict"].partition(";")[0]
    assert ("try_next" in section) == (told != "No mode collapse seen")


def test_points_a_hair_beside_the_data_have_not_collapsed():
    rng = np.random.default_rng(0)

    def circle(radius):
        angle = 2.0 * np.pi * rng.uniform(size=1000)
        return radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)

    samples, held_out, training = circle(1.03), circle(1.0), circle(1.0)
    precision, density = on_data(samples, held_out, training)
    assert density[0] < 0.1 and density[1] > 0.9
    metrics = {"exact_wasserstein": {"value": exact_wasserstein(samples, held_out), "real": 0.05}}
    section = mode_collapse.of_points(metrics, precision, density)
    assert section["level"] == "none" and "try_next" not in section
