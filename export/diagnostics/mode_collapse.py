"""Mode collapse: whether all parts of the data are there. Blur is none: a generator that is not trained yet reaches no
part of the data, and one that collapsed reaches some of it well, or makes the same sample again and again."""

import math

import numpy as np

from export.diagnostics import thresholds
from export.diagnostics.section import section, worse
from export.metrics.precision_recall import manifold_metrics

#: Most points of each kind whose neighbours are looked for.
_MOST_POINTS = 5_000

_OPENING = {
    "none": "No mode collapse seen",
    "partial": "Partial mode collapse",
    "severe": "Severe mode collapse",
}
_NOT_TRAINED = "No mode collapse seen, but samples far from the data"

TRY_NEXT = (
    "a critic that sees how alike the samples of a batch are, --config.critic.minibatch_discrimination=16; a dynamics "
    "that looks ahead, --config.dynamics=unrolled; an objective that pays for missed modes, mode_regularized, "
    "relativistic or wasserstein_gp; labels, --config.conditional.critic=projection."
)
TRY_NEXT_FAR = (
    "more steps; where the critic has become certain, a --config.generator_optimizer.learning_rate of up to five times "
    "the critic's; larger networks."
)


def diagnose(found):
    """A report's section "mode_collapse".

    Args:
        found: `export.diagnostics.diagnose.Found`.
    """
    context, metrics, classes = found.context, found.metrics, found.classes
    if len(context.data.data_shape) == 3:
        shown = context.samples.shown, context.held_out.shown
        return of_images(metrics, classes, *repetition(*shown), sharpness(*shown))
    spread = _spread(context.samples) / (_spread(context.held_out) or 1.0)
    if classes is not None:
        return of_modes(metrics, classes, spread)
    lie = on_data(context.samples, context.held_out), context.once(_training_on_data, context.training)
    return of_points(metrics, *zip(*lie), spread)


def repetition(samples, real):
    """How alike samples are, in pixels.

    Args:
        samples, real: images [N, H, W, C], two or more of each.

    Returns:
        (spread, repeats), floats set in proportion to those of `real`: the mean distance of two samples, and the median
        distance of a sample to its nearest as a part of that mean. The first is 0 where all are the same; the second
        is 0 where there are some samples again and again, whatever their contrast, and above 1 for noise.
    """
    (spread, nearest), (real_spread, real_nearest) = (_distances(images) for images in (samples, real))
    relative = nearest / spread if spread else 0.0
    of_real = real_nearest / real_spread if real_spread else 0.0
    return spread / real_spread if real_spread else 1.0, relative / of_real if of_real else 1.0


def _distances(images):
    flat = np.asarray(images, np.float64).reshape(len(images), -1)
    squares = (flat**2).sum(1)
    distances = np.sqrt(np.maximum(squares[:, None] + squares - 2.0 * flat @ flat.T, 0.0))
    others = ~np.eye(len(flat), dtype=bool)
    return distances[others].mean(), np.median(np.where(others, distances, np.inf).min(1))


def sharpness(samples, real):
    """How sharp samples are: the mean squared difference of neighbouring pixels as a part of the variance of the pixels
    of an image, in proportion to that of `real`. Below 1 for blur, above 1 for noise.

    Args:
        samples, real: images [N, H, W, C].
    """
    of_samples, of_real = (_relative_steps(np.asarray(images, np.float64)) for images in (samples, real))
    return of_samples / of_real if of_real else 1.0


def _relative_steps(images):
    steps = sum((np.diff(images, axis=axis) ** 2).mean() for axis in (1, 2))
    variance = images.var(axis=(1, 2)).mean()
    return steps / variance if variance else 0.0


def _spread(points):
    return float(np.sqrt(np.asarray(points, np.float64).var(axis=0).sum()))


def of_images(metrics, classes, spread=1.0, repeats=1.0, sharp=1.0):
    """Mode collapse of images: recall and coverage against what training images reach, and the balance of classes.

    Recall and coverage also fall where samples lie beside the data, blurred, noisy or not trained yet. Precision,
    density and sharpness tell that apart: recall and coverage count as collapse only where these are near the data's.
    Nor do thin classes count beside the data, nor missing ones where the samples are unlike it: a classifier sees
    classes in anything. What is the same again and again has collapsed, however it looks.

    Args:
        metrics: {name: metric}, with precision, density, recall and coverage.
        classes: the report's "classes", or None.
        spread, repeats: of `repetition`.
        sharp: of `sharpness`.

    Returns:
        A section of the report.
    """
    rests_on = {"spread_of_pixels": spread, "distance_to_nearest_sample": repeats, "sharpness": sharp}
    shares = {}
    for name in ("precision", "density", "recall", "coverage"):
        value, real = metrics[name]["value"], metrics[name]["real"]
        rests_on |= {name: value, f"{name}_of_real_images": real}
        shares[name] = value / real if real else 1.0
    blurred, noisy = sharp < thresholds.SHARPNESS[0], sharp > thresholds.SHARPNESS[1]
    unlike = blurred or noisy or shares["precision"] < thresholds.FAR
    beside = unlike or shares["density"] < thresholds.BESIDE
    findings = []
    if spread < thresholds.SAME or repeats < thresholds.REPEATED:
        what = "one image" if spread < thresholds.SAME else "a few images"
        findings.append(("severe", f"the samples are {what} again and again"))
    if classes:
        of_classes, balance, numbers = _balance(classes, "class", "classes")
        counts = not beside or (numbers["classes_missing"] and not unlike)
        findings.append((of_classes if counts else "none", *balance))
        rests_on = numbers | rests_on
    reached, of_manifold = (shares["recall"], shares["coverage"]), "none"
    if not beside and min(reached) < thresholds.REACHED[0]:
        of_manifold = "severe" if max(reached) < thresholds.REACHED[1] else "partial"
    findings.append(
        (
            of_manifold,
            f"{metrics['recall']['value']:.0%} of the test images lie within reach of the samples "
            f"(training images: {metrics['recall']['real']:.0%}) and {metrics['coverage']['value']:.0%} have a sample "
            f"beside them (training images: {metrics['coverage']['real']:.0%})",
        )
    )
    level = worse(*(each for each, *_ in findings))
    if level == "none" and beside and min(reached) < thresholds.REACHED[0]:
        what = "blurred" if blurred else "noisy" if noisy else "not trained well enough to tell"
        leading = (
            f"they are {what}, with {sharp:.2g} times the sharpness of test images, "
            f"{metrics['precision']['value']:.0%} of them among those (training images: "
            f"{metrics['precision']['real']:.0%}) and a density of {metrics['density']['value']:.2g} there (training "
            f"images: {metrics['density']['real']:.2g}), so that what seems to be missing may not be"
        )
        parts = [leading, *_clauses(findings)]
        return section(level, _NOT_TRAINED, parts, rests_on) | {"try_next": TRY_NEXT_FAR}
    return section(level, _OPENING[level], _clauses(findings, level), rests_on, TRY_NEXT)


def of_modes(metrics, classes, spread=1.0):
    """Mode collapse of points around known modes: modes found, their balance, and what lies beside them.

    Args:
        metrics: {name: metric}, with modes_found and high_quality_share.
        classes: the report's "classes".
        spread: standard deviation of the samples in proportion to the data's.
    """
    found, quality = metrics["modes_found"], metrics["high_quality_share"]
    of_classes, balance, numbers = _balance(classes, "mode", "modes")
    numbers = {
        "modes_found": found["value"],
        "modes": found["of"],
        **numbers,
        "high_quality_share": quality["value"],
        "spread": spread,
    }
    on_modes = f"{quality['value']:.1%} of the samples lie on a mode (data: {quality['real']:.1%})"
    count = f"{found['value']} of {found['of']} modes found"
    if quality["value"] < thresholds.BLURRED_POINTS and spread >= thresholds.SAME:
        parts = [f"{on_modes}, so few that they are blurred or not trained yet", count, *balance]
        return section("none", _NOT_TRAINED, parts, numbers) | {"try_next": TRY_NEXT_FAR}
    of_count = "none"
    if found["value"] < found["of"]:
        of_count = "severe" if found["value"] < thresholds.HALF * found["of"] else "partial"
    findings = [(of_count, count), (of_classes, *balance)]
    if spread < thresholds.SAME:
        findings.insert(0, ("severe", "the samples are one point again and again"))
    level = worse(*(each for each, *_ in findings))
    return section(level, _OPENING[level], [*_clauses(findings, level), on_modes], numbers, TRY_NEXT)


def on_data(points, held_out):
    """(precision, density) of points [N, d] against held-out examples [M, d]: how many of them lie on the data."""
    found = manifold_metrics(held_out[:_MOST_POINTS], points[:_MOST_POINTS]).values()
    return found["precision"], found["density"]


def _training_on_data(context, training):
    return on_data(training, context.held_out)


def of_points(metrics, precision, density, spread=1.0):
    """Mode collapse of points without modes: whether the samples' mass is out of place, and lies on the data all the
    same.

    The Wasserstein distance, set in proportion to that of two sets of the data's own points, sees mass that lacks and
    samples beside the data alike. Their density tells these apart, as with images.

    Args:
        metrics: {name: metric}, with exact_wasserstein.
        precision, density: of `on_data`, each a pair: of the samples, and of training examples.
        spread: standard deviation of the samples in proportion to the data's.
    """
    distance = metrics["exact_wasserstein"]
    times = distance["value"] / distance["real"] if distance["real"] else 1.0
    partial, severe = thresholds.TIMES_THE_DISTANCE
    level = "severe" if times > severe else "partial" if times > partial else "none"
    moved = (
        f"the samples' mass has to move {distance['value']:.3g} on average to become the data's, {times:.1f} times "
        "what two sets of the data's own points have to"
    )
    lie = f"{precision[0]:.0%} of the samples lie among the data (training examples: {precision[1]:.0%})"
    numbers = {
        "exact_wasserstein": distance["value"],
        "exact_wasserstein_of_data": distance["real"],
        "spread": spread,
        "precision": precision[0],
        "precision_of_training_examples": precision[1],
        "density": density[0],
        "density_of_training_examples": density[1],
    }
    if spread < thresholds.SAME:
        parts = ["the samples are one point again and again", moved, lie]
        return section("severe", _OPENING["severe"], parts, numbers, TRY_NEXT)
    if level != "none" and density[0] < thresholds.BESIDE * density[1]:
        density = f"with a density of {density[0]:.2g} there (training examples: {density[1]:.2g})"
        parts = [f"they are not trained well enough to tell: {lie}, {density}", moved]
        return section("none", _NOT_TRAINED, parts, numbers) | {"try_next": TRY_NEXT_FAR}
    return section(level, _OPENING[level], [moved, lie], numbers, TRY_NEXT)


def _clauses(findings, level=None):
    """The clauses of findings, (level, clause, …) each; those that set `level` come first."""
    ordered = sorted(findings, key=lambda finding: finding[0] != level)
    return [clause for _, *clauses in ordered for clause in clauses]


def _balance(classes, one, many):
    """(level, clauses, numbers) of a histogram against its reference."""
    due = [entry for entry in classes if entry["reference_share"]]
    ratio = {entry["name"]: entry["share"] / entry["reference_share"] for entry in due}
    missing = [name for name, value in ratio.items() if value < thresholds.MISSING]
    few = [entry for entry in due if thresholds.MISSING <= ratio[entry["name"]] < thresholds.THIN]
    many_of = [entry for entry in due if ratio[entry["name"]] > thresholds.SWOLLEN]
    thin, swollen = ([entry["name"] for entry in found if _is_no_chance(entry)] for found in (few, many_of))
    lacking = sum(max(0.0, entry["reference_share"] - entry["share"]) for entry in due)
    shares = sorted(classes, key=lambda entry: entry["share"])
    least, most = shares[0], shares[-1]
    span = f"shares run from {least['share']:.1%} ({one} {least['name']}) to {most['share']:.1%} ({one} {most['name']})"
    if missing or thin or swollen:
        named = " and ".join(
            f"{len(names)} {what} ({one} {_few(names)})"
            for names, what in ((missing, "missing"), (thin, "thin"), (swollen, "too frequent"))
            if names
        )
        there = f"{named} of {len(ratio)} {many}"
    else:
        there = f"all {len(ratio)} {many} are there"
    level = "none"
    if missing or thin or swollen:
        severe = len(missing) >= thresholds.HALF * len(ratio) or lacking >= thresholds.LACKING
        level = "severe" if severe else "partial"
    numbers = {
        f"{many}": len(ratio),
        f"{many}_missing": len(missing),
        f"{many}_thin": len(thin),
        f"{many}_too_frequent": len(swollen),
        "share_lacking": lacking,
        "smallest_share": least["share"],
        "largest_share": most["share"],
    }
    return level, (there, span), numbers


def _is_no_chance(entry):
    """Whether a class' share differs from what is due by more than two sets of so many examples do by chance."""
    if not entry.get("interval"):
        return True
    share, due = entry["share"], entry["reference_share"]
    low, high = entry["interval"]
    of_share = ((high - low) / (2 * 1.96)) ** 2
    # As many held-out examples are behind what is due, whose variance goes with p (1 - p).
    of_due = of_share * due * (1 - due) / max(share * (1 - share), due * (1 - due) / 4)
    return abs(share - due) > thresholds.NO_CHANCE * math.sqrt(of_share + of_due)


def _few(names, limit=4):
    return ", ".join(names[:limit]) + (", …" if len(names) > limit else "")
