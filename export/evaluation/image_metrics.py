"""The metrics of images, a row each: fidelity and diversity in a feature space and of pixels, and the samples' classes.

`context` is an `export.evaluation.context.ImageContext`, `images` one of its sets, `export.evaluation.context.Images`.
"""

import functools

import numpy as np

from export.evaluation import caption_agreement, codes, label_agreement, neighbours, neural_net_distances
from export.evaluation.metric import Metric, samples_alone
from export.metrics import inception
from export.metrics.annealed_importance import log_likelihood_interval
from export.metrics.bins import Bins, bin_divergence, bin_divergence_interval, different_bins
from export.metrics.classification_accuracy import CLASSIFIER, right_after_training
from export.metrics.classifier_score import (
    class_divergence_interval,
    class_histogram,
    classifier_score_interval,
    histogram_kl,
    mutual_information,
)
from export.metrics.frechet import frechet_distance, frechet_interval
from export.metrics.intervals import absent, mean_interval, share_interval
from export.metrics.inversion import hidden_centre, psnr_where, restore
from export.metrics.kernel import kernel_distance
from export.metrics.ms_ssim import ms_ssim, random_pairs, scales
from export.metrics.parzen import parzen_log_likelihood
from export.metrics.pixel_points import averaged_down, flat
from export.metrics.precision_recall import manifold_intervals, manifold_metrics
from export.metrics.vendi import vendi_interval, vendi_score
from zoo.pixels import to_float

_KERNEL_BLOCKS = 5
#: Test images that are restored; what a generated image may miss a pixel by where it is seen, and the noise, both
#: standard deviations of values in [-1, 1].
_RESTORED, _MISFIT, _NOISE = 64, 0.2, 0.5
#: Side of the images that are divided into bins: larger ones are averaged down to it.
_BINNED_SIDE = 32
#: Most components of images whose pixels a Parzen window takes, 64×64 in colour, and most validation and test images.
_PARZEN_COMPONENTS, _PARZEN_VALIDATION, _PARZEN_TEST = 12_288, 1000, 2000


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


def _frechet(context, images):
    return frechet_distance(images.gaussian, context.held_out.gaussian)


def _frechet_interval(context, images):
    return frechet_interval(images.features, context.held_out.features)


def _is_inception(context):
    return context.extractor.name in inception.NAMES


def _about_fid(context):
    about = "The Fréchet distance under its usual name, FID (Heusel et al. 2017)"
    if context.extractor.name == "inception_v3":
        return f"{about}; in the features of Keras' Inception-v3, not of the network behind published numbers."
    return f"{about}, in the features of the network behind published numbers."


def _similarities(context, images):
    """MS-SSIM of random pairs of images, of one class each where the generator is told labels."""
    labels = context.labels(images) if label_agreement.told_labels(context) else None
    count = len(images.pixels)
    pairs = random_pairs(count, None if labels is None else labels[:count])
    return ms_ssim(images.pixels[pairs[:, 0]], images.pixels[pairs[:, 1]]) if len(pairs) else np.empty(0)


def _mean_similarity(context, images):
    similarities = context.once(_similarities, images)
    return similarities.mean() if len(similarities) else np.nan


def _similarity_interval(context, images):
    similarities = context.once(_similarities, images)
    return mean_interval(similarities, of="pair") if len(similarities) else absent(np.nan, "no class has two samples")


def _about_ms_ssim(context):
    number = len(scales(context.data.data_shape))
    of_one = " of one class each" if label_agreement.told_labels(context) else ""
    return (
        f"Mean MS-SSIM of random pairs of samples{of_one}, at {number} scale{'s' * (number > 1)}; above the real "
        "images' value where samples are alike (Odena et al. 2017)."
    )


def _binned(pixels):
    return averaged_down(pixels, _BINNED_SIDE)


def _bins(context, training):
    return Bins.of(_binned(training.pixels))


def _bin_labels(context, images):
    return context.once(_bins, context.training).of_points(_binned(images.pixels))


def _bin_pair(context, images):
    """(bins of images, bins of training images, number of bins)."""
    found = context.once(_bins, context.training)
    return context.once(_bin_labels, images), found.labels, len(found.centres)


def _different_share(context, images):
    return different_bins(*_bin_pair(context, images)).mean()


def _about_bins(context):
    found = context.once(_bins, context.training)
    return (
        f"Share of {len(found.centres)} bins, k-means of training images' pixels, whose share of the samples differs "
        "at 5 % (NDB / K, Richardson & Weiss 2018); 0.05 is expected of new images, more with more samples otherwise."
    )


def _counts_of_bins(context):
    return len(context.samples.pixels), len(context.training.pixels)


def _parzen(context, images):
    # Validation and test images are held-out ones, for training images take the samples' place once.
    held_out = context.held_out.pixels
    validation = min(_PARZEN_VALIDATION, max(1, len(held_out) // 5))
    parts = held_out[:validation], held_out[validation : validation + _PARZEN_TEST]
    return parzen_log_likelihood(flat(images.pixels), *map(flat, parts))


def _has_few_components(context):
    return np.prod(context.data.data_shape) <= _PARZEN_COMPONENTS


def _right_after_training(context, images):
    held_out = context.held_out
    return right_after_training(images.features, context.labels(images), held_out.features, context.labels(held_out))


def _share(right):
    return share_interval(right.mean(), len(right))


def _has_labels(context):
    return label_agreement.told_labels(context) and context.labels(context.held_out) is not None


def _has_surrogate_tasks(context):
    return context.surrogate_tasks and context.generator.tensors is not None and not _is_boltzmann_machine(context)


def _restored(context, hidden):
    """(PSNR of the restored parts, PSNR of the baseline), of `_RESTORED` held-out images: `hidden` or noisy ones."""
    originals = to_float(context.held_out.pixels[:_RESTORED])
    everywhere = np.ones(originals.shape[1:], np.float32)
    if hidden:
        mask, deviation = hidden_centre(originals.shape[1:]), _MISFIT
        observed = baseline = np.broadcast_to(to_float(context.training.pixels).mean(axis=0), originals.shape)
        observed = np.where(mask > 0.0, originals, observed)
        judged = everywhere - mask
    else:
        mask = judged = everywhere
        deviation = _NOISE
        observed = baseline = originals + _NOISE * np.random.default_rng(0).normal(size=originals.shape)
    generator = context.generator
    restored = restore(generator.tensors, generator.latent_dim, observed, mask, deviation)
    return psnr_where(restored, originals, judged), psnr_where(baseline, originals, judged)


def _imputed(context, images):
    return _restored(context, hidden=True)


def _denoised(context, images):
    return _restored(context, hidden=False)


def _gain_metric(name, function, about):
    def gains(context, images):
        restored, baseline = context.once(function, images)
        return restored - baseline

    def told(context):
        restored, baseline = context.once(function, context.samples)
        return about.format(restored.mean(), baseline.mean())

    return Metric(
        name,
        "higher",
        told,
        value=lambda context, images: gains(context, images).mean(),
        interval=lambda context, images: mean_interval(gains(context, images), of="image"),
        needs=_has_surrogate_tasks,
        counts=lambda context: (0, len(gains(context, context.samples))),
        of_real=False,
    )


METRICS = (
    Metric(
        "frechet_distance",
        "lower",
        "Squared Fréchet distance between Gaussian fits of the features of samples and of test images.",
        value=_frechet,
        interval=lambda context, images: context.once(_frechet_interval, images),
        of_untrained=True,
    ),
    Metric(
        "fid",
        "lower",
        _about_fid,
        value=_frechet,
        interval=lambda context, images: context.once(_frechet_interval, images),
        needs=_is_inception,
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
    _manifold_metric(
        "clipped_density",
        "higher",
        "Fidelity as an equivalent share of good samples: density of balls no larger than the median one, at most 1 a "
        "sample, in proportion to the test images' own; falls linearly with the share of bad samples (k = 5).",
    ),
    _manifold_metric(
        "clipped_coverage",
        "higher",
        "Coverage as an equivalent share of good samples: how many of as many good ones would fill the balls around "
        "the test images as much; falls linearly with the share of bad samples (k = 5).",
    ),
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
    Metric(
        "classification_accuracy_score",
        "higher",
        f"Accuracy on test images of a {CLASSIFIER} on features that learnt from the samples and the labels that they "
        "were made for (Ravuri & Vinyals 2019, who train a ResNet-50); real: that learnt from as many training images.",
        value=lambda context, images: context.once(_right_after_training, images).mean(),
        interval=lambda context, images: _share(context.once(_right_after_training, images)),
        needs=_has_labels,
    ),
    Metric(
        "vendi_score",
        "higher",
        "Effective number of different samples, by the cosine similarity of their features (Friedman & Dieng 2022); "
        "noise is diverse too.",
        value=lambda context, images: vendi_score(images.features),
        interval=lambda context, images: vendi_interval(images.features),
        counts=samples_alone,
    ),
    Metric(
        "ms_ssim",
        "lower",
        _about_ms_ssim,
        value=_mean_similarity,
        interval=_similarity_interval,
        counts=lambda context: (2 * len(context.once(_similarities, context.samples)), None),
    ),
    neighbours.BIRTHDAY,
    Metric(
        "statistically_different_bins",
        "lower",
        _about_bins,
        value=_different_share,
        interval=lambda context, images: absent(
            _different_share(context, images), "the test of a bin sees less on fewer samples"
        ),
        counts=_counts_of_bins,
        real=lambda context: _different_share(context, context.held_out),
    ),
    Metric(
        "bin_divergence",
        "lower",
        "Jensen-Shannon divergence, in nats, of the samples' histogram of those bins from the training images'.",
        value=lambda context, images: bin_divergence(*_bin_pair(context, images)),
        interval=lambda context, images: bin_divergence_interval(*_bin_pair(context, images)),
        counts=_counts_of_bins,
        real=lambda context: bin_divergence(*_bin_pair(context, context.held_out)),
    ),
    *neighbours.COPIES,
    _gain_metric(
        "imputation_gain",
        _imputed,
        "PSNR in dB of the middle quarter of test images, hidden and imputed by the generated image that fits the rest "
        "best, less that of the mean training image: {:.4g} less {:.4g}.",
    ),
    _gain_metric(
        "denoising_gain",
        _denoised,
        "PSNR in dB of test images with noise, restored by the generated image that fits them best, less that of the "
        "noisy ones: {:.4g} less {:.4g}.",
    ),
    *neural_net_distances.METRICS,
    Metric(
        "parzen_log_likelihood",
        "higher",
        "Nats per test image, pixels in [0, 1], under a Gaussian around each sample, as wide as suits other held-out "
        "images best (Goodfellow et al. 2014). Far below the true likelihood in so many dimensions, and known to rank "
        "models wrongly (Theis et al. 2016): for comparison with older papers alone.",
        value=lambda context, images: context.once(_parzen, images).mean,
        interval=lambda context, images: context.once(_parzen, images).interval(),
        needs=_has_few_components,
        counts=lambda context: (
            len(context.samples.pixels),
            len(context.once(_parzen, context.samples).per_example),
        ),
    ),
    *codes.METRICS,
    *caption_agreement.METRICS,
)
