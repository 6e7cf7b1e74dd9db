"""Verdicts on mode collapse, in words, and the numbers they rest on.

Each is "none", "partial" or "severe". The thresholds are conventions, named below, not tests of significance; the
numbers stand beside the words so that a reader can draw other lines.
"""

#: A class or mode with less than this part of its due share counts as missing, or as thin.
_MISSING, _THIN = 0.1, 0.5
#: Recall or coverage below this part of what training images reach: severe, partial.
_SEVERE, _PARTIAL = 0.2, 0.7
#: Where less than this share of the samples lies on modes, what is missing may not have been learnt yet.
_BLUR = 0.2
#: Severe where as many classes or modes are missing.
_HALF = 0.5

_OPENING = {
    "none": "No mode collapse seen",
    "partial": "Partial mode collapse",
    "severe": "Severe mode collapse",
}


def of_images(metrics, classes):
    """Mode collapse of images: recall and coverage against what training images reach, and the balance of classes.

    Args:
        metrics: {name: metric}, with recall and coverage.
        classes: the report's "classes", or None.

    Returns:
        A section of the report.
    """
    parts, rests_on, shares = [], {}, []
    for name in ("recall", "coverage"):
        value, real = metrics[name]["value"], metrics[name]["real"]
        rests_on |= {name: value, f"{name}_of_real_images": real}
        shares.append(value / real if real else 1.0)
    worst = min(shares)
    level = "severe" if worst < _SEVERE else "partial" if worst < _PARTIAL else "none"
    parts.append(
        f"{metrics['recall']['value']:.0%} of the test images lie within reach of the samples "
        f"(training images: {metrics['recall']['real']:.0%}) and {metrics['coverage']['value']:.0%} have a sample "
        f"beside them (training images: {metrics['coverage']['real']:.0%})"
    )
    if classes:
        of_classes, sentence, numbers = _balance(classes, "class", "classes")
        level = max(level, of_classes, key=list(_OPENING).index)
        parts.insert(0, sentence)
        rests_on = numbers | rests_on
    return _section(level, parts, rests_on)


def of_modes(metrics, classes):
    """Mode collapse of points around known modes: modes found, their balance, and what lies beside them."""
    found, quality = metrics["modes_found"], metrics["high_quality_share"]
    level, sentence, numbers = _balance(classes, "mode", "modes")
    parts = [
        f"{found['value']} of {found['of']} modes found",
        sentence,
        f"{quality['value']:.1%} of the samples lie on a mode (data: {quality['real']:.1%})",
    ]
    if quality["value"] < _BLUR:
        parts.append("so few that this may be blur rather than collapse")
    numbers = {"modes_found": found["value"], "modes": found["of"], **numbers, "high_quality_share": quality["value"]}
    if found["value"] < _HALF * found["of"]:
        level = "severe"
    elif found["value"] < found["of"]:
        level = max(level, "partial", key=list(_OPENING).index)
    return _section(level, parts, numbers)


def of_points(metrics):
    """Mode collapse of points without modes: how much of the data's mass is out of place.

    The Wasserstein distance, set in proportion to that of two sets of the data's own points, sees missing mass and
    misplaced mass alike; nothing finer is known of such data.
    """
    distance = metrics["exact_wasserstein"]
    times = distance["value"] / distance["real"] if distance["real"] else 1.0
    level = "severe" if times > 10 else "partial" if times > 3 else "none"
    part = (
        f"The samples' mass has to move {distance['value']:.3g} on average to become the data's, "
        f"{times:.1f} times what two sets of the data's own points have to"
    )
    return _section(
        level, [part], {"exact_wasserstein": distance["value"], "exact_wasserstein_of_data": distance["real"]}
    )


def _balance(classes, one, many):
    """(level, sentence, numbers) of a histogram against its reference."""
    ratio = {entry["name"]: entry["share"] / entry["reference_share"] for entry in classes if entry["reference_share"]}
    missing = [name for name, value in ratio.items() if value < _MISSING]
    thin = [name for name, value in ratio.items() if _MISSING <= value < _THIN]
    shares = sorted(classes, key=lambda entry: entry["share"])
    least, most = shares[0], shares[-1]
    span = f"shares run from {least['share']:.1%} ({one} {least['name']}) to {most['share']:.1%} ({one} {most['name']})"
    if missing or thin:
        named = " and ".join(
            f"{len(names)} {what} ({one} {_few(names)})"
            for names, what in ((missing, "missing"), (thin, "thin"))
            if names
        )
        sentence = f"{named} of {len(ratio)} {many}; {span}"
    else:
        sentence = f"all {len(ratio)} {many} are there; {span}"
    level = "severe" if len(missing) >= _HALF * len(ratio) else "partial" if missing or thin else "none"
    numbers = {
        f"{many}": len(ratio),
        f"{many}_missing": len(missing),
        f"{many}_thin": len(thin),
        "smallest_share": least["share"],
        "largest_share": most["share"],
    }
    return level, sentence, numbers


def _few(names, limit=4):
    return ", ".join(names[:limit]) + (", …" if len(names) > limit else "")


def _section(level, parts, rests_on):
    return {"level": level, "verdict": f"{_OPENING[level]}: {'; '.join(parts)}.", "rests_on": rests_on}
