"""The metrics of points whose density is known, a row each: modes, quality, likelihood, distances.

`context` is an `export.evaluation.context.PointContext`, `points` one of its sets, a NumPy array [N, d].
"""

import numpy as np

from export.evaluation import codes, label_agreement, neighbours, neural_net_distances
from export.evaluation.metric import Metric, samples_alone
from export.metrics import intervals, toy
from export.metrics.parzen import parzen_log_likelihood

# The exact distance takes O(n³); blocks of this size take a third of a second each.
_EXACT_BLOCK = 1000
#: Most samples, validation and test points of the Parzen window: its distance matrices take seconds.
_PARZEN_SAMPLES, _PARZEN_VALIDATION, _PARZEN_TEST = 10_000, 500, 1000


def has_modes(context):
    """Whether the data lies around known modes."""
    return context.data.modes is not None


def mode_counts(context, points):
    """`export.metrics.toy.ModeCounts` of points around the data's modes."""
    return toy.mode_counts(points, context.data.modes, context.data.std)


def _modes(context, points):
    return context.once(mode_counts, points)


def nearest(context, points):
    """The mode that each point is nearest to, int64 [N]."""
    return _modes(context, points).nearest


def _has_samples_on_modes(context):
    # Without a sample on any mode there is no histogram to speak of.
    return has_modes(context) and _modes(context, context.samples).high_quality.any()


def _has_density(context):
    return context.data.has_log_density


def _log_likelihood(context, points):
    return toy.log_likelihood(points, context.data.log_density)


def _likelihood(context, points):
    return context.once(_log_likelihood, points)


def _inside(context, points):
    """Log-densities of the points inside the data's support."""
    each = _likelihood(context, points).per_sample
    return each[np.isfinite(each)]


def _likelihood_interval(context, points):
    inside = _inside(context, points)
    if not len(inside):
        return intervals.absent(np.nan, "no sample lies inside the support")
    return intervals.mean_interval(inside, of="sample")


def _exact_blocks(context, points):
    """Exact Wasserstein-1 distances, float64 [blocks], of consecutive blocks of points and of held-out points."""
    starts = range(0, max(1, len(points) - _EXACT_BLOCK + 1), _EXACT_BLOCK)
    blocks = [slice(start, start + _EXACT_BLOCK) for start in starts]
    return np.array([toy.exact_wasserstein(points[block], context.held_out[block]) for block in blocks])


def _parzen(context, points):
    held_out = context.held_out
    validation = min(_PARZEN_VALIDATION, max(1, len(held_out) // 5))
    test = held_out[validation : validation + _PARZEN_TEST]
    return parzen_log_likelihood(points[:_PARZEN_SAMPLES], held_out[:validation], test)


METRICS = (
    Metric(
        "modes_found",
        "higher",
        lambda context: (
            f"Modes that hold at least {_modes(context, context.samples).min_count} samples "
            "within 3 standard deviations of their centre."
        ),
        value=lambda context, points: _modes(context, points).modes_found,
        interval=lambda context, points: intervals.absent(
            _modes(context, points).modes_found, "a count takes too few values for an interval with a level"
        ),
        needs=has_modes,
        counts=samples_alone,
        of=lambda context: _modes(context, context.samples).num_modes,
    ),
    Metric(
        "high_quality_share",
        "higher",
        "Share of samples within 3 standard deviations of a mode's centre.",
        value=lambda context, points: _modes(context, points).high_quality_share,
        interval=lambda context, points: intervals.share_interval(
            _modes(context, points).high_quality_share, len(points)
        ),
        needs=has_modes,
        counts=samples_alone,
    ),
    Metric(
        "mode_divergence",
        "lower",
        lambda context: (
            "KL divergence, in nats, of the histogram of modes from balance; "
            f"log {_modes(context, context.samples).num_modes} for one mode."
        ),
        value=lambda context, points: _modes(context, points).kl_to_uniform,
        interval=lambda context, points: toy.mode_divergence_interval(_modes(context, points)),
        needs=_has_samples_on_modes,
        counts=samples_alone,
    ),
    label_agreement.metric(
        "Share of samples that lie nearest to the mode that they were made for.", nearest, has_modes
    ),
    Metric(
        "log_likelihood",
        "higher",
        "Mean exact log-density, in nats, of the samples inside the support. Collapsed ones can exceed the data's.",
        value=lambda context, points: _likelihood(context, points).mean_in_support,
        interval=_likelihood_interval,
        needs=_has_density,
        counts=lambda context: (len(_inside(context, context.samples)), None),
    ),
    Metric(
        "share_in_support",
        "higher",
        "Share of samples where the data's density is above 0 (in double precision).",
        value=lambda context, points: _likelihood(context, points).share_in_support,
        interval=lambda context, points: intervals.share_interval(
            _likelihood(context, points).share_in_support, len(points)
        ),
        needs=_has_density,
        counts=samples_alone,
    ),
    Metric(
        "sliced_wasserstein",
        "lower",
        "Sliced Wasserstein-2 distance to held-out points, 128 directions, in the data's unit.",
        value=lambda context, points: toy.sliced_wasserstein(points, context.held_out),
        interval=lambda context, points: toy.sliced_wasserstein_interval(points, context.held_out),
        of_untrained=True,
    ),
    Metric(
        "exact_wasserstein",
        "lower",
        lambda context: (
            "Exact Wasserstein-1 distance to held-out points, "
            f"mean over blocks of {min(_EXACT_BLOCK, context.num_samples)}."
        ),
        value=lambda context, points: _exact_blocks(context, points).mean(),
        interval=lambda context, points: intervals.mean_interval(_exact_blocks(context, points), of="block"),
        of_untrained=True,
    ),
    *neural_net_distances.METRICS,
    neighbours.BIRTHDAY,
    Metric(
        "parzen_log_likelihood",
        "higher",
        "Nats per held-out point under a Gaussian around each sample, as wide as suits other held-out points best "
        "(Goodfellow et al. 2014).",
        value=lambda context, points: context.once(_parzen, points).mean,
        interval=lambda context, points: context.once(_parzen, points).interval(),
        counts=lambda context: (
            min(_PARZEN_SAMPLES, context.num_samples),
            len(context.once(_parzen, context.samples).per_example),
        ),
    ),
    *codes.METRICS,
)
