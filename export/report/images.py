"""Measures a generator of images: fidelity and diversity in a feature space, and the classes it makes."""

import dataclasses

import numpy as np
from absl import logging
from threadpoolctl import threadpool_limits

from export.metrics.classifier_score import (
    class_divergence_interval,
    class_histogram,
    classifier_score_interval,
    histogram_kl,
    mutual_information,
)
from export.metrics.frechet import GaussianStatistics, frechet_distance, frechet_interval
from export.metrics.intervals import share_interval
from export.metrics.kernel import kernel_distance
from export.metrics.precision_recall import manifold_intervals, manifold_metrics
from export.report.measured import Measured
from export.report.metric import metric
from export.report.sections import mode_collapse_of_images
from zoo.errors import RequestError
from zoo.pixels import to_uint8
from zoo.progress import Progress

_BATCH = 256
_SHOWN = 64
_KERNEL_BLOCKS = 5
_FEWEST, _FEW = 20, 2000


@dataclasses.dataclass
class _Seen:
    """Images through the eyes of an extractor: features [N, d], logits [N, K], and the first few themselves."""

    features: np.ndarray
    logits: np.ndarray
    shown: np.ndarray

    def __len__(self):
        return len(self.features)


def count_samples(data, num_samples):
    """How many of `num_samples` samples an evaluation draws: as many as there are test images, at most.

    Raises:
        RequestError: there are fewer than 20 test images.
    """
    available = data.num_examples("test")
    if min(num_samples, available) < _FEWEST:
        raise RequestError(
            f"data.source '{data.name}': {available} test images; an evaluation needs at least {_FEWEST}"
        )
    return min(num_samples, available)


def measure_images(generator, data, extractor, *, num_samples=10_000, first_seed=0, untrained=None):
    """Fréchet and kernel distance, classifier score, precision, recall, density, coverage, and the class histogram.

    All of it on uint8 pixels, against as many test images as there are samples. Training images take the samples' place
    once, to show where a perfect generator lands with this many.

    Args:
        generator: `export.generators.Generator` of images.
        data: `zoo.datasets.Dataset` of images of that shape.
        extractor: `export.metrics.features.FeatureExtractor`.
        num_samples: how many; at most as many as there are test images.
        first_seed: seed of the first sample.
        untrained: `Generator` to set the Fréchet distance in proportion to, or None.

    Returns:
        `export.report.measured.Measured`.

    Raises:
        RequestError: there are fewer than 20 test images.
    """
    count = count_samples(data, num_samples)
    notes = [extractor.weakness()] if extractor.weakness() else []
    if count < num_samples:
        notes.append(f"{num_samples:,} samples were asked for; {count:,} were drawn, as many as there are test images.")
    logging.info("Drawing %d samples, and reading as many test and training images", count)
    test = _see(_batches_of(data, "test", count), extractor, count, "test images")
    real = _see(_batches_of(data, "train", count), extractor, min(count, data.num_examples("train")), "training images")
    samples = _see(_samples(generator, first_seed, count), extractor, count, "samples")

    logging.info("Measuring, with intervals")
    reference = GaussianStatistics.from_features(test.features)
    untrained_distance = None
    if untrained is not None:
        unlearnt = _see(_samples(untrained, first_seed, count), extractor, count, "samples of the untrained generator")
        untrained_distance = frechet_distance(GaussianStatistics.from_features(unlearnt.features), reference)
    # Small matrices gain nothing from threads, and lose a hundredfold where other work keeps the cores busy.
    with threadpool_limits(1 if count <= _FEW else None):
        of_samples, of_real = _intervals(samples, test), _values(real, test)
    sizes = {"num_samples": count, "num_reference": count}
    metrics = {
        "frechet_distance": metric(
            of_samples["frechet_distance"],
            "lower",
            "Squared Fréchet distance between Gaussian fits of the features of samples and of test images.",
            real=of_real["frechet_distance"],
            untrained=untrained_distance,
            **sizes,
        ),
        "kernel_distance": metric(
            of_samples["kernel_distance"],
            "lower",
            "Unbiased squared maximum mean discrepancy of the features, cubic kernel; may be slightly negative.",
            real=of_real["kernel_distance"],
            **sizes,
        ),
        "classifier_score": metric(
            of_samples["classifier_score"],
            "higher",
            f"exp E KL(p(class|image) ‖ p(class)) by the extractor's classifier, at most {extractor.num_classes}.",
            real=of_real["classifier_score"],
            num_samples=count,
        ),
    }
    manifold = {
        "precision": ("higher", "Share of samples that lie within the test images' manifold of features (k = 5)."),
        "recall": ("higher", "Share of test images that lie within the samples' manifold of features (k = 5)."),
        "density": ("one", "How densely samples lie among test images: 1 where the distributions agree (k = 5)."),
        "coverage": ("higher", "Share of test images with a sample closer than their 5th neighbour."),
    }
    for name, (better, about) in manifold.items():
        metrics[name] = metric(of_samples[name], better, about, real=of_real[name], **sizes)

    classes = None
    if extractor.num_classes == data.num_classes:
        classes, divergence = _classes(samples, test, extractor, data)
        metrics["class_divergence"] = metric(
            divergence,
            "lower",
            "KL divergence, in nats, of the samples' histogram of classes from the test images'.",
            real=histogram_kl(_histogram(real, extractor), _histogram(test, extractor)),
            **sizes,
        )
    return Measured(
        num_samples=count,
        num_reference=count,
        metrics=metrics,
        classes=classes,
        classes_of="class",
        sections={"mode_collapse": mode_collapse_of_images(metrics, classes)},
        notes=notes,
        samples=samples.shown,
        reference=test.shown,
        features=extractor.metadata,
    )


def _batches_of(data, split, count):
    """uint8 batches of `count` different images: the first of one shuffled epoch, so that none is held in memory."""
    count = min(count, data.num_examples(split))
    for start, batch in zip(range(0, count, _BATCH), data.batches(split, _BATCH, seed=0)):
        yield to_uint8(batch).numpy()[: count - start]


def _samples(generator, first_seed, count):
    for start in range(0, count, _BATCH):
        yield generator.sample(np.arange(start, min(start + _BATCH, count)) + first_seed)


def _see(batches, extractor, count, what):
    features, logits, shown = [], [], []
    with Progress(count, what, "image") as progress:
        for batch in batches:
            seen = extractor(batch)
            features.append(seen[0])
            logits.append(seen[1])
            if sum(map(len, shown)) < _SHOWN:
                shown.append(batch[:_SHOWN])
            progress.update(progress.done + len(batch))
    return _Seen(np.concatenate(features), np.concatenate(logits), np.concatenate(shown)[:_SHOWN])


def _values(seen, test):
    """{name: number} of images in the samples' place."""
    return {
        "frechet_distance": frechet_distance(
            GaussianStatistics.from_features(seen.features), GaussianStatistics.from_features(test.features)
        ),
        "kernel_distance": _kernel_distance(seen, test).value,
        "classifier_score": np.exp(mutual_information(seen.logits)),
        **manifold_metrics(test.features, seen.features).values(),
    }


def _intervals(seen, test):
    """{name: Interval} of the samples."""
    return {
        "frechet_distance": frechet_interval(seen.features, test.features),
        "kernel_distance": _kernel_distance(seen, test).interval(),
        "classifier_score": classifier_score_interval(seen.logits),
        **manifold_intervals(test.features, seen.features),
    }


def _kernel_distance(seen, test):
    # Five blocks at least, so that their spread says how sure the mean is; the estimate is unbiased at any size.
    block = min(1000, max(2, min(len(seen), len(test)) // _KERNEL_BLOCKS))
    return kernel_distance(test.features, seen.features, block_size=block)


def _histogram(seen, extractor):
    return class_histogram(seen.logits, extractor.num_classes)


def _classes(samples, test, extractor, data):
    """(the report's "classes", Interval of the divergence)."""
    predicted, of_test = samples.logits.argmax(axis=1), test.logits.argmax(axis=1)
    reference = _histogram(test, extractor)
    names = data.class_names or extractor.class_names or tuple(map(str, range(extractor.num_classes)))
    classes = []
    for label, name in enumerate(names):
        share = share_interval((predicted == label).mean(), len(predicted))
        classes.append(
            {
                "name": str(name),
                "share": share.value,
                "interval": [share.low, share.high],
                "reference_share": float(reference[label]),
            }
        )
    return classes, class_divergence_interval(predicted, of_test, len(names))
