"""The metrics of images, a row each: fidelity and diversity in a feature space, and the classes of the samples.

`context` is an `export.evaluation.context.ImageContext`, `images` one of its sets, `export.evaluation.context.Images`.
"""

import functools

import numpy as np

from export.evaluation import codes, label_agreement
from export.evaluation.metric import Metric, samples_alone
from export.metrics.annealed_importance import log_likelihood_interval
from export.metrics.classifier_score import (
    class_divergence_interval,
    class_histogram,
    classifier_score_interval,
    histogram_kl,
    mutual_information,
)
from export.metrics.frechet import frechet_distance, frechet_interval
from export.metrics.kernel import kernel_distance
from export.metrics.precision_recall import manifold_intervals, manifold_metrics

_KERNEL_BLOCKS = 5


def has_classes(context):
    """Whether the extractor's classifier knows the data's classes."""
    return context.extractor.knows_classes_of(context.data)


def histogram(context, images):
    """Share of each class among images, float [K], as the extractor's classifier sees them."""
    return class_histogram(images.logits, context.extractor.num_classes)


def predicted(context, images):
    """The class that the extractor's classifier takes each image for, int [N]."""
    return images.classes


def _about_label_agreement(context):
    right = (predicted(context, context.held_out) == context.labels(context.held_out)).mean()
    return (
        "Share of samples that the extractor's classifier takes for the class that they were made for; "
        f"of the test images it is right on {right:.1%}. Samples that are alike within a class can exceed the data's."
    )


def _kernel_distance(context, images):
    # Five blocks at least, so that their spread says how sure the mean is; the estimate is unbiased at any size.
    block = min(1000, max(2, min(len(images), len(context.held_out)) // _KERNEL_BLOCKS))
    return kernel_distance(context.held_out.features, images.features, block_size=block)


def _manifold_values(context, images):
    return manifold_metrics(context.held_out.features, images.features).values()


def _manifold_intervals(context, images):
    return manifold_intervals(context.held_out.features, images.features)


def _of(name, function, context, images):
    """One entry of a dict that several metrics share."""
    return context.once(function, images)[name]


def _manifold_metric(name, better, about):
    value, interval = (functools.partial(_of, name, each) for each in (_manifold_values, _manifold_intervals))
    return Metric(name, better, about, value, interval)


def _is_boltzmann_machine(context):
    return hasattr(getattr(context.run, "model", None), "free_energy_difference")


def _log_likelihood(context, images):
    # Of the model, whatever was sampled of it.
    test_images, _ = context.data.arrays("test", context.num_samples)
    return log_likelihood_interval(context.run.model.sampler, test_images)


METRICS = (
    Metric(
        "frechet_distance",
        "lower",
        "Squared Fréchet distance between Gaussian fits of the features of samples and of test images.",
        value=lambda context, images: frechet_distance(images.gaussian, context.held_out.gaussian),
        interval=lambda context, images: frechet_interval(images.features, context.held_out.features),
        of_untrained=True,
    ),
    Metric(
        "kernel_distance",
        "lower",
        "Unbiased squared maximum mean discrepancy of the features, cubic kernel; may be slightly negative.",
        value=lambda context, images: _kernel_distance(context, images).value,
        interval=lambda context, images: _kernel_distance(context, images).interval(),
    ),
    Metric(
        "classifier_score",
        "higher",
        lambda context: (
            "exp E KL(p(class|image) ‖ p(class)) by the extractor's classifier, "
            f"at most {context.extractor.num_classes}."
        ),
        value=lambda context, images: np.exp(mutual_information(images.logits)),
        interval=lambda context, images: classifier_score_interval(images.logits),
        needs=lambda context: context.extractor.num_classes > 1,
        counts=samples_alone,
    ),
    _manifold_metric(
        "precision", "higher", "Share of samples that lie within the test images' manifold of features (k = 5)."
    ),
    _manifold_metric(
        "recall", "higher", "Share of test images that lie within the samples' manifold of features (k = 5)."
    ),
    _manifold_metric(
        "density", "one", "How densely samples lie among test images: 1 where the distributions agree (k = 5)."
    ),
    _manifold_metric("coverage", "higher", "Share of test images with a sample closer than their 5th neighbour."),
    Metric(
        "class_divergence",
        "lower",
        "KL divergence, in nats, of the samples' histogram of classes from the test images'.",
        value=lambda context, images: histogram_kl(histogram(context, images), histogram(context, context.held_out)),
        interval=lambda context, images: class_divergence_interval(
            images.classes, context.held_out.classes, context.extractor.num_classes
        ),
        needs=has_classes,
    ),
    Metric(
        "log_likelihood",
        "higher",
        "Nats per test image, its pixels made binary at random, with log Z by annealed importance sampling.",
        value=lambda context, images: _log_likelihood(context, images).value,
        of_real=False,
        interval=_log_likelihood,
        needs=_is_boltzmann_machine,
        counts=lambda context: (0, context.num_samples),
    ),
    label_agreement.metric(_about_label_agreement, predicted, has_classes),
    *codes.METRICS,
)
