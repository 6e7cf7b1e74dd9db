"""Measures a generator of points whose distribution is known: modes, quality, likelihood, Wasserstein distances."""

import numpy as np
from absl import logging

from export.metrics import intervals, toy
from export.metrics.neural_net_distance import MLPCritics, neural_net_distance
from export.report.measured import Measured
from export.report.metric import metric
from export.report.sections import mode_collapse_of_modes, mode_collapse_of_points

_SHOWN = 2000
# The exact distance takes O(n³); blocks of this size take a third of a second each.
_EXACT_BLOCK = 1000
#: The critics of the neural-net distance, and how they are sought: about a second for as many points.
_CRITICS, _CRITIC_POINTS, _SEARCH = MLPCritics((16,)), 2000, {"starts": 3, "max_iterations": 200}


def measure_points(generator, data, *, num_samples=10_000, first_seed=0, untrained=None):
    """Modes found, high-quality share, log-likelihood, sliced and exact Wasserstein distance, neural-net distance.

    Those that need modes or a density are left out for data without. Training points take the samples' place once, to
    show where a perfect generator lands.

    Args:
        generator: `export.generators.Generator` of points.
        data: `zoo.datasets.toy.ToyDataset` of that dimension.
        num_samples: how many.
        first_seed: seed of the first sample.
        untrained: `Generator` to set the Wasserstein distances in proportion to, or None.

    Returns:
        `export.report.measured.Measured`.
    """
    logging.info("Drawing %d samples and as many held-out points", num_samples)
    seeds = np.arange(num_samples) + first_seed
    samples = generator.sample(seeds)
    test, real = (data.arrays(split, num_samples)[0] for split in ("test", "train"))
    unlearnt = None if untrained is None else untrained.sample(seeds)
    logging.info("Measuring, with intervals")
    alone = {"num_samples": num_samples}
    against = {"num_samples": num_samples, "num_reference": num_samples}
    metrics, classes, modes = {}, None, None

    if data.modes is not None:
        modes, real_modes = (toy.mode_counts(points, data.modes, data.std) for points in (samples, real))

        metrics["modes_found"] = metric(
            intervals.absent(modes.modes_found, "a count takes too few values for an interval with a level"),
            "higher",
            f"Modes that hold at least {modes.min_count} samples within 3 standard deviations of their centre.",
            real=real_modes.modes_found,
            of=modes.num_modes,
            **alone,
        )
        metrics["high_quality_share"] = metric(
            intervals.share_interval(modes.high_quality_share, num_samples),
            "higher",
            "Share of samples within 3 standard deviations of a mode's centre.",
            real=real_modes.high_quality_share,
            **alone,
        )
        # Without a sample on any mode there is no histogram to speak of.
        if modes.high_quality.any():
            metrics["mode_divergence"] = metric(
                toy.mode_divergence_interval(modes),
                "lower",
                f"KL divergence, in nats, of the histogram of modes from balance; log {modes.num_modes} for one mode.",
                real=real_modes.kl_to_uniform,
                **alone,
            )
        classes = _mode_shares(modes)

    if data.has_log_density:
        likelihood, real_likelihood = (toy.log_likelihood(points, data.log_density) for points in (samples, real))
        inside = likelihood.per_sample[np.isfinite(likelihood.per_sample)]
        metrics["log_likelihood"] = metric(
            intervals.mean_interval(inside, of="sample")
            if len(inside)
            else intervals.absent(np.nan, "no sample lies inside the support"),
            "higher",
            "Mean exact log-density, in nats, of the samples inside the support. Collapsed ones can exceed the data's.",
            real=real_likelihood.mean_in_support,
            num_samples=len(inside),
        )
        metrics["share_in_support"] = metric(
            intervals.share_interval(likelihood.share_in_support, num_samples),
            "higher",
            "Share of samples where the data's density is above 0 (in double precision).",
            real=real_likelihood.share_in_support,
            **alone,
        )

    metrics["sliced_wasserstein"] = metric(
        toy.sliced_wasserstein_interval(samples, test),
        "lower",
        "Sliced Wasserstein-2 distance to held-out points, 128 directions, in the data's unit.",
        real=toy.sliced_wasserstein(real, test),
        untrained=None if unlearnt is None else toy.sliced_wasserstein(unlearnt, test),
        **against,
    )
    metrics["exact_wasserstein"] = metric(
        intervals.mean_interval(_exact_blocks(samples, test), of="block"),
        "lower",
        f"Exact Wasserstein-1 distance to held-out points, mean over blocks of {min(_EXACT_BLOCK, num_samples)}.",
        real=_exact_blocks(real, test).mean(),
        untrained=None if unlearnt is None else _exact_blocks(unlearnt, test).mean(),
        **against,
    )
    # One half to find the critic on, the other to see what is left of it on points that it has not seen.
    half = min(_CRITIC_POINTS, num_samples // 2)
    first, second = slice(0, half), slice(half, 2 * half)

    def told_apart(points):
        return neural_net_distance(test[first], points[first], _CRITICS, **_SEARCH)

    found, found_real = told_apart(samples), told_apart(real)
    one_search = "not estimated: other draws would need searches for critics of their own"
    halves = {"num_samples": half, "num_reference": half}
    metrics["neural_net_distance"] = metric(
        intervals.absent(found.value, one_search),
        "lower",
        f"Neural-net distance to held-out points, φ = log, {found.critics} ({found.parameters} parameters); "
        "0 where they tell nothing apart, 2 log 2 where everything.",
        real=found_real.value,
        untrained=None if unlearnt is None else told_apart(unlearnt).value,
        **halves,
    )
    metrics["neural_net_distance_gap"] = metric(
        intervals.absent(found.generalization_gap(test[second], samples[second]), one_search),
        "lower",
        "How much of that distance was the sample: what it falls by on as many other points, with the same critic.",
        real=found_real.generalization_gap(test[second], real[second]),
        **halves,
    )
    section = mode_collapse_of_points(metrics) if modes is None else mode_collapse_of_modes(metrics, classes)
    return Measured(
        num_samples=num_samples,
        num_reference=num_samples,
        metrics=metrics,
        classes=classes,
        classes_of="mode",
        sections={"mode_collapse": section},
        notes=[],
        samples=samples[:_SHOWN],
        reference=test[:_SHOWN],
    )


def _exact_blocks(points, test):
    """Exact Wasserstein-1 distances, float64 [blocks], of consecutive blocks of both sets."""
    starts = range(0, max(1, len(points) - _EXACT_BLOCK + 1), _EXACT_BLOCK)
    blocks = [slice(start, start + _EXACT_BLOCK) for start in starts]
    return np.array([toy.exact_wasserstein(points[block], test[block]) for block in blocks])


def _mode_shares(modes):
    """The report's "classes": each mode's share of the high-quality samples."""
    on_modes = modes.nearest[modes.high_quality]
    classes = []
    for mode in range(modes.num_modes):
        share = intervals.share_interval((on_modes == mode).mean(), len(on_modes)) if len(on_modes) else None
        classes.append(
            {
                "name": str(mode),
                "share": share.value if share else 0.0,
                "interval": [share.low, share.high] if share else None,
                "reference_share": 1.0 / modes.num_modes,
            }
        )
    return classes
