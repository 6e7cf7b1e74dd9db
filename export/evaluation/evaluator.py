"""Evaluates a generator against held-out data: draws, measures, and tells how it fails."""

import numpy as np
from absl import logging
from threadpoolctl import threadpool_limits

from export.evaluation import codes, label_agreement, super_resolution
from export.evaluation.result import Evaluation
from zoo.errors import RequestError

#: The features that fit the data.
AUTO = "auto"
#: Most samples of points. Their exact distances take a third of a second a thousand, three times over.
_MOST_POINTS = 100_000
#: Fewest test images, and up to how many their matrices count as small.
_FEWEST, _FEW = 20, 2000


def evaluate(
    generator,
    data,
    *,
    features=AUTO,
    num_samples=10_000,
    first_seed=0,
    untrained=None,
    run=None,
    quick=False,
    surrogate_tasks=False,
    where="--saved_model",
):
    """Measures a generator against held-out data.

    Images are compared as uint8 pixels with as many test images as there are samples. Training examples take the
    samples' place once, to show where a perfect generator lands with this many.

    Args:
        generator: `export.generators.Generator`, or `export.evaluation.given_samples.GivenSamples` in its place.
        data: `zoo.datasets.Dataset` of the same shape.
        features: name of a feature extractor, "auto" for the one that fits the data, or a
            `export.metrics.feature_extractor.FeatureExtractor`. Points need none.
        num_samples: how many samples; of images no more than there are test images, of points up to 100,000.
        first_seed: seed of the first sample.
        untrained: the same generator before its first step, or None.
        run: the `trainers.build.Run` that the generator is from, or None.
        quick: whether diagnostics that take long are to take fewer steps.
        surrogate_tasks: whether to measure imputation and denoising of images through the generator's range too.
        where: what a message calls the generator.

    Returns:
        `export.evaluation.result.Evaluation`.

    Raises:
        RequestError: the generator makes something else than the data, or values that are not finite; or there is no
            such extractor; or `num_samples` is too large; or there are fewer than 20 test images.
    """
    check_num_samples(num_samples, data.data_shape)
    _check_generator(generator, data, first_seed, where)
    options = {"first_seed": first_seed, "untrained": untrained, "run": run, "surrogate_tasks": surrogate_tasks}
    if len(data.data_shape) == 1:
        return _evaluate_points(generator, data, num_samples, options, quick)
    return _evaluate_images(generator, data, features, num_samples, options, quick)


def check_num_samples(num_samples, data_shape):
    """Raises RequestError for more samples of points than can be measured. Of images as many as wanted are asked for:
    there are never more than test images."""
    if len(data_shape) == 1 and num_samples > _MOST_POINTS:
        raise RequestError(f"--num_samples: {num_samples}; points are measured on up to {_MOST_POINTS:,}")


def count_samples(data, num_samples, generator=None):
    """How many of `num_samples` samples an evaluation draws: at most as many as there are, of images also as many as
    there are test images.

    Raises:
        RequestError: there are fewer than 20 samples or test images.
    """
    given = getattr(generator, "available", None)
    if given is not None:
        if given < _FEWEST:
            raise RequestError(f"{generator.where}: {given} samples; an evaluation needs at least {_FEWEST}")
        num_samples = min(num_samples, given)
    available = data.num_examples("test")
    if available is None:  # a density
        return num_samples
    if min(num_samples, available) < _FEWEST:
        raise RequestError(
            f"data.source '{data.name}': {available} test images; an evaluation needs at least {_FEWEST}"
        )
    return min(num_samples, available)


def _about_counts(generator, num_samples, count):
    """Notes where as many samples were not measured as there are, or as were asked for."""
    given = generator.available
    if given is not None:
        return [f"{count:,} of the {given:,} samples were measured, chosen at random."] if count < given else []
    if count == num_samples:
        return []
    return [f"{num_samples:,} samples were asked for; {count:,} were drawn, as many as there are test images."]


def _check_generator(generator, data, seed, where):
    if tuple(generator.data_shape) != tuple(data.data_shape):
        made, expected = ("×".join(map(str, shape)) for shape in (generator.data_shape, data.data_shape))
        raise RequestError(f"{where}: the generator makes {made}, and {data.name!r} has {expected}")
    if generator.generate is None:  # samples, which were looked at when they were opened
        return
    probe = generator.generate(np.random.default_rng(seed).normal(size=[8, generator.latent_dim]))
    if not np.isfinite(probe.astype(np.float64)).all():
        # As pixels they would be black, and the report a good-looking one on black images.
        raise RequestError(f"{where}: the generator makes values that are not finite; its training broke down")


def _evaluate_images(generator, data, features, num_samples, options, quick):
    from export.evaluation import image_metrics, neighbours
    from export.evaluation.class_balance import class_shares
    from export.evaluation.context import ImageContext
    from export.evaluation.metric import measure
    from export.metrics.feature_extractor import FeatureExtractor
    from export.metrics.features import features_for

    count = count_samples(data, num_samples, generator)  # before minutes are spent on a classifier
    extractor = features if isinstance(features, FeatureExtractor) else features_for(data, features)
    notes = [extractor.weakness()] if extractor.weakness() else []
    notes += _about_counts(generator, num_samples, count)
    if count <= extractor.dim:
        notes.append(
            f"{count:,} samples are no more than the {extractor.dim:,} features: their covariance is singular, and the "
            "Fréchet distance far above that of many samples. It is comparable with the value of real data beside it, "
            "and with reports on as many samples, but with no others."
        )
    context = ImageContext(extractor, generator, data, num_samples=count, **options)
    context.prepare()
    logging.info("Measuring, with intervals")
    # Small matrices gain nothing from threads, and lose a hundredfold where other work keeps the cores busy.
    with threadpool_limits(1 if count <= _FEW else None):
        metrics = measure(context, image_metrics.METRICS)
    classes = class_shares(context) if image_metrics.has_classes(context) else None
    sections, not_measured = _diagnose(context, metrics, classes, quick)
    if super_resolution.applies(context):
        restored, sections["super_resolution"] = super_resolution.measure(context)
        metrics = {**restored, **metrics}
        notes.append("Samples are the test images, made of their low-resolution versions; they are not independent.")
    pairs = {"copies": neighbours.closest_copies(context), "duplicates": neighbours.closest_duplicates(context)}
    notes = [*notes, *not_measured]
    return _result(context, metrics, classes, "class", sections, notes, extractor.metadata, pairs)


def _evaluate_points(generator, data, num_samples, options, quick):
    from export.evaluation import point_metrics
    from export.evaluation.class_balance import mode_shares
    from export.evaluation.context import PointContext
    from export.evaluation.metric import measure

    count = count_samples(data, num_samples, generator)
    context = PointContext(generator, data, num_samples=count, **options)
    context.prepare()
    logging.info("Measuring, with intervals")
    with threadpool_limits(1 if count <= _FEW else None):
        metrics = measure(context, point_metrics.METRICS)
    classes = mode_shares(context) if point_metrics.has_modes(context) else None
    sections, not_measured = _diagnose(context, metrics, classes, quick)
    notes = [] if generator.available is None else _about_counts(generator, num_samples, count)
    return _result(context, metrics, classes, "mode", sections, [*notes, *not_measured], None)


def _diagnose(context, metrics, classes, quick):
    """({key: section}, notes on those that do not apply)."""
    from export.diagnostics.diagnose import Found, diagnose

    sections, absent = diagnose(Found(context, metrics, classes, quick))
    reasons = {}
    for key, reason in absent.items():
        reasons.setdefault(reason, []).append(key.replace("_", " ").replace("non ", "non-"))
    return sections, [f"Not measured: {', '.join(keys)}; {reason}." for reason, keys in reasons.items()]


def _result(context, metrics, classes, classes_of, sections, notes, features, pairs=None):
    samples, reference = context.shown
    notes = [*context.generator.notes, *notes, *label_agreement.notes(classes, classes_of)]
    return Evaluation(
        num_samples=context.num_samples,
        num_reference=context.num_samples,
        metrics=metrics,
        classes=classes,
        classes_of=classes_of,
        sections=sections,
        notes=notes,
        samples=samples,
        reference=reference,
        samples_by_class=context.shown_by_class,
        interpolations=context.interpolations,
        features=features,
        pairs=pairs,
        codes=codes.described(context),
        traversals=codes.traversals(context),
    )
