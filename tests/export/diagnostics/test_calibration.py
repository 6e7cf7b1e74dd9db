"""Known cases, each of which must get the right verdict under every seed: samples made by hand of the digits, seen by
the classifier that the package ships, and games made by hand. Nothing is trained."""

import numpy as np
import pytest
import tensorflow as tf
from games import HandMade, LinearMinimax, LinearWasserstein, linear_game
from scipy.ndimage import gaussian_filter

from export.diagnostics import convergence, generalization, mode_collapse, vanishing_gradients
from export.diagnostics.convergence import JointField
from export.metrics.copies import estimated_share
from export.metrics.features import features_for
from export.metrics.intervals import share_interval
from export.metrics.precision_recall import manifold_metrics
from trainers.dynamics.simultaneous import Simultaneous
from trainers.techniques.zero_centred import ZeroCentred
from zoo import datasets
from zoo.batch import Batch
from zoo.pixels import to_uint8

SEEDS = range(5)
COUNT = 600


class Digits:
    """Disjoint sets of the digits, drawn by the seed, each with the same shares of the classes: 600 are the reference,
    600 are for samples, 597 are training images."""

    def __init__(self, images, labels, extractor, seed):
        self.rng, self.extractor = np.random.default_rng(seed), extractor
        ranks = np.empty(len(images))
        for label in range(10):
            of_label = np.flatnonzero(labels == label)
            ranks[of_label] = (self.rng.permutation(len(of_label)) + self.rng.uniform()) / len(of_label)
        order = np.argsort(ranks)
        self.images, self.labels = images[order], labels[order]
        self.reference, self.spare, self.training = (
            self.images[rows] for rows in (slice(COUNT), slice(COUNT, 2 * COUNT), slice(2 * COUNT, None))
        )
        self.training_labels = self.labels[2 * COUNT :]

    def sections(self, samples):
        """(mode collapse, generalization) of uint8 images [N, 8, 8, 1]."""
        seen = {name: self.extractor(images) for name, images in (("samples", samples), ("real", self.reference))}
        of_training = self.extractor(self.training)[0]
        values = manifold_metrics(seen["real"][0], seen["samples"][0]).values()
        real = manifold_metrics(seen["real"][0], of_training[:COUNT]).values()
        metrics = {name: {"value": values[name], "real": real[name]} for name in values}
        predicted = {name: logits.argmax(1) for name, (_, logits) in seen.items()}
        classes = []
        for label in range(10):
            share = share_interval((predicted["samples"] == label).mean(), len(samples))
            classes.append(
                {
                    "name": str(label),
                    "share": share.value,
                    "interval": [share.low, share.high],
                    "reference_share": (predicted["real"] == label).mean(),
                }
            )
        shown = samples[:64], self.reference[:64]
        of_pixels = *mode_collapse.repetition(*shown), mode_collapse.sharpness(*shown)
        pixels = map(generalization.small, (samples, self.training, self.reference))
        copies = estimated_share(*pixels)
        return mode_collapse.of_images(metrics, classes, *of_pixels), generalization.judge(copies)

    def of(self, weight):
        """Different images that are not the reference's, of label l in proportion to `weight(l)`."""
        labels, images = self.labels[COUNT:], self.images[COUNT:]
        weights = np.array([weight(label) for label in labels], float)
        chosen = self.rng.choice(
            len(images), min(COUNT, np.count_nonzero(weights)), replace=False, p=weights / weights.sum()
        )
        return images[chosen]


@pytest.fixture(scope="module")
def cases():
    data = datasets.load("digits")
    parts = [data.arrays(split) for split in ("train", "test")]
    images = np.concatenate([to_uint8(x) for x, _ in parts])
    labels, extractor = np.concatenate([y for _, y in parts]), features_for(data, "auto")
    return [Digits(images, labels, extractor, seed) for seed in SEEDS]


def real(digits):
    return digits.spare


def three_of_ten_classes(digits):
    return digits.of(lambda label: label < 3)


def one_class_dropped(digits):
    return digits.of(lambda label: label != 4)


def one_class_doubled(digits):
    doubled = digits.labels[COUNT:][:COUNT] == 6
    extra = digits.training[digits.training_labels == 6][: doubled.sum()]
    samples = digits.rng.permutation(np.concatenate([digits.spare, extra]))
    return samples[:COUNT]


def one_image(digits):
    noise = digits.rng.normal(0, 2, (COUNT, 8, 8, 1))
    return np.clip(digits.spare[:1] + noise, 0, 255).astype(np.uint8)


def ten_images(digits):
    noise = digits.rng.normal(0, 2, (COUNT, 8, 8, 1))
    return np.clip(digits.spare[digits.rng.integers(10, size=COUNT)] + noise, 0, 255).astype(np.uint8)


def noise(digits):
    return digits.rng.integers(0, 256, (COUNT, 8, 8, 1)).astype(np.uint8)


def blur(digits):
    return gaussian_filter(digits.spare.astype(float), (0, 1.5, 1.5, 0)).astype(np.uint8)


def memorised(digits):
    return digits.training[:200][digits.rng.integers(200, size=COUNT)]


def a_third_memorised(digits):
    samples = digits.spare.copy()
    samples[::3] = digits.training[digits.rng.choice(len(digits.training), COUNT // 3, replace=False)]
    return samples


@pytest.mark.parametrize(
    "make, collapse, words, copying",
    [
        (real, "none", "all 10 classes are there", "none"),
        (three_of_ten_classes, "severe", "7 missing", None),
        (one_class_dropped, "partial", "1 missing (class 4)", None),
        (one_class_doubled, "partial", "1 too frequent (class 6)", None),
        (one_image, "severe", "one image again and again", None),
        (ten_images, "severe", "a few images again and again", None),
        (noise, "none", "samples far from the data", "none"),
        (blur, "none", "samples far from the data", "none"),
        (memorised, None, "", "severe"),
        (a_third_memorised, "none", "all 10 classes are there", "partial"),
    ],
)
def test_samples(cases, make, collapse, words, copying):
    for seed, digits in zip(SEEDS, cases):
        of_modes, of_copies = digits.sections(make(digits))
        if collapse is not None:
            assert of_modes["level"] == collapse, (seed, of_modes["verdict"])
        # What leads comes first, before any other number.
        assert words in of_modes["verdict"].partition(";")[0], (seed, of_modes["verdict"])
        if copying is not None:
            assert of_copies["level"] == copying, (seed, of_copies["verdict"])


@pytest.mark.parametrize("count", [304, 2000])
def test_chance_makes_no_class_thin_or_too_frequent(count):
    """Two sets of the same distribution over ten classes, as a report has them: at most one in fifty gets a verdict."""
    rng, named = np.random.default_rng(0), 0
    for _ in range(400):
        of_samples, of_real = rng.multinomial(count, np.full(10, 0.1), 2) / count
        classes = []
        for label, (share, due) in enumerate(zip(of_samples, of_real)):
            interval = share_interval(share, count)
            ends = [interval.low, interval.high]
            classes.append({"name": str(label), "share": share, "interval": ends, "reference_share": due})
        named += mode_collapse._balance(classes, "class", "classes")[0] != "none"
    assert named <= 8


@pytest.mark.parametrize("seed", SEEDS)
def test_games(seed):
    """WGAN without a regulariser on the uniform distribution circles around its equilibrium, with R1 it converges."""
    rng = np.random.default_rng(seed)
    real = rng.uniform(-1, 1, (64, 1))
    points = real - real.mean() + rng.normal(0, 0.2)
    levels = []
    for techniques in ((), (ZeroCentred(weight=2.0, at="real"),)):
        gan = linear_game(LinearWasserstein, points, clip=0.0, dynamics=Simultaneous(), techniques=techniques)
        found = convergence.spectrum(JointField(gan, Batch(tf.constant(real)), None))
        section = convergence.judge(found)
        levels.append((section["level"], section["verdict"].partition(":")[0]))
    assert levels == [("partial", "Rotating"), ("none", "No non-convergence seen")]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_saturated_critic(seed):
    rng = np.random.default_rng(seed)
    real, fake = rng.normal(1.0, 0.3, (64, 2)), rng.normal(-1.0, 0.3, (64, 2))
    curves = {"step": [0, 1], "critic_accuracy": [0.5, 1.0]}
    curves |= {
        f"{loss}_gradient_{what}": [1.0, 1.0] for loss in vanishing_gradients.LOSSES for what in ("norm", "variance")
    }
    levels = {}
    for slope, samples in ((8.0, fake), (0.5, fake), (8.0, real + rng.normal(0, 0.01, real.shape))):
        gan = linear_game(LinearMinimax, samples)
        gan.critic.trainable_variables[0].assign(np.full([2, 1], slope))
        own = vanishing_gradients.AtOwnCritic(HandMade(gan, {"test": real}))(2)
        levels[slope, samples is fake] = vanishing_gradients.judge(own, curves, "minimax")["level"]
    assert levels == {(8.0, True): "severe", (0.5, True): "none", (8.0, False): "none"}
