"""The report's diagrams, as PNG with a transparent ground and grey ink, legible on light and on dark pages."""

import io
import math

import numpy as np

_INK = "#7d8590"
#: Inches.
_WIDTH = 4.6
_FIRST, _SECOND = "#3b82f6", "#f59e0b"
_COLOURS = {"critic": _FIRST, "generator": _SECOND}
#: Distances that checkpoints are diagnosed with → their names.
_DISTANCES = {"frechet_distance": "Fréchet distance", "exact_wasserstein": "Wasserstein distance"}
#: Of further players.
_MORE = ("#10b981", "#a855f7", "#ef4444")


def loss_curves(rows):
    """Losses and gradient norms of all players over the steps, and the samples' distance from the data, where the run
    was diagnosed while it trained.

    Args:
        rows: list of dicts, the rows of `metrics.jsonl`.

    Returns:
        Encoded PNG, or None for fewer than two rows of losses.
    """
    diagnosed = [(row["step"], row["diagnosed"]) for row in rows if "diagnosed" in row]
    rows = [row for row in rows if "diagnosed" not in row]
    if len(rows) < 2:
        return None
    steps = [row["step"] for row in rows]
    players = [key.removesuffix("_loss") for key in rows[0] if key.endswith("_loss")]
    # Critic and generator first, in the colours that they always have.
    players = sorted(players, key=lambda player: (player not in _COLOURS, player))
    colours = _COLOURS | dict(zip([player for player in players if player not in _COLOURS], _MORE))
    norms = [player for player in players if f"{player}_gradient_norm" in rows[0]]
    distances = {key: label for key, label in _DISTANCES.items() if len(diagnosed) > 1 and key in diagnosed[0][1]}
    number = 1 + bool(norms) + len(distances)
    figure = _figure(1.0 + 1.6 * number)
    panels = np.atleast_1d(figure.subplots(number, 1, sharex=True))
    for player in players:
        label, values = player.replace("_", " "), _column(rows, f"{player}_loss")
        panels[0].plot(steps, values, color=colours[player], linewidth=1.2, label=label)
    panels[0].set_ylabel("loss")
    panels[0].legend(frameon=False, labelcolor=_INK, fontsize=9, ncols=len(players))
    for player in norms:
        panels[1].plot(steps, _column(rows, f"{player}_gradient_norm"), color=colours[player], linewidth=1.2)
    if norms:
        panels[1].set(ylabel="gradient norm", yscale="log")
    for key, label in distances.items():
        values = [found.get(key) for _, found in diagnosed]
        panels[-1].plot([step for step, _ in diagnosed], values, ".-", color=_INK, linewidth=1.2)
        panels[-1].set_ylabel(label)
    panels[-1].set_xlabel("step")
    return _png(figure, panels)


def class_histogram(classes, what):
    """Share of each class among the samples, with its interval, beside the reference's.

    Args:
        classes: the report's "classes".
        what: "class" or "mode".

    Returns:
        Encoded PNG.
    """
    return _bars(classes, what, ("share", "interval", "reference_share"), "share, %", "data")


def label_agreement(classes, what):
    """Share of each class' samples that are seen as of it, with its interval, beside training examples'.

    Args:
        classes: the report's "classes", with agreements.
        what: "class" or "mode".

    Returns:
        Encoded PNG.
    """
    keys = ("agreement", "agreement_interval", "real_agreement")
    return _bars(classes, what, keys, "agree with their label, %", "training data")


def fresh_critic(curves):
    """What a fresh critic does to the generator's gradient, step by step: the figures of Arjovsky & Bottou.

    Args:
        curves: the section's "curves".

    Returns:
        Encoded PNG.
    """
    steps = curves["step"]
    figure = _figure(5.6)
    panels = figure.subplots(3, 1, sharex=True)
    panels[0].plot(
        steps, 100 * (1 - np.array(curves["critic_accuracy"], float)), color=_FIRST, marker=".", linewidth=1.2
    )
    panels[0].set(ylabel="critic's error, %", ylim=(0, None))
    for loss, colour in (("minimax", _FIRST), ("non_saturating", _SECOND)):
        label = loss.replace("_", "-")
        for axes, what in ((panels[1], "norm"), (panels[2], "variance")):
            values = _positive(curves[f"{loss}_gradient_{what}"])
            axes.plot(steps, values, color=colour, marker=".", linewidth=1.2, label=label)
    panels[1].set(ylabel="gradient norm", yscale="log")
    panels[2].set(ylabel="its variance", yscale="log", xlabel="steps of a fresh critic")
    panels[1].legend(frameon=False, labelcolor=_INK, fontsize=9, ncols=2)
    panels[2].set_xscale("symlog", linthresh=1)
    panels[2].set_xlim(-0.2, 1.2 * steps[-1])
    panels[2].set_xticks([step for step in steps if step in (0, 1, 10, 100) or step == steps[-1]])
    panels[2].xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    panels[2].xaxis.set_minor_locator(_no_ticks())
    return _png(figure, panels)


def spectrum(eigenvalues, path):
    """Eigenvalues of the Jacobian of the players' moves, and the path angle.

    Args:
        eigenvalues: the section's, [real, imaginary] each.
        path: the section's "path", or None.

    Returns:
        Encoded PNG.
    """
    figure = _figure(5.2 if path else 2.8)
    panels = np.atleast_1d(figure.subplots(2 if path else 1, 1))
    real, imaginary = np.array(eigenvalues, float).T
    grows = real > 0
    for chosen, colour, label in ((~grows, _FIRST, "shrinks"), (grows, _SECOND, "grows")):
        if chosen.any():
            panels[0].scatter(real[chosen], imaginary[chosen], s=14, color=colour, label=label)
    panels[0].axvline(0, color=_INK, linewidth=0.8)
    panels[0].legend(frameon=False, labelcolor=_INK, fontsize=9.5)
    # Both axes over some decades: a critic's steepest direction is often a thousand times the rest.
    largest = max(np.abs(real).max(), np.abs(imaginary).max(), 1e-30)
    axes = panels[0]
    for values, scale, limit, ticks in (
        (real, axes.set_xscale, axes.set_xlim, axes.set_xticks),
        (imaginary, axes.set_yscale, axes.set_ylim, axes.set_yticks),
    ):
        extent = np.abs(values).max() or largest
        scale("symlog", linthresh=max(1e-3 * largest, 1e-2 * extent))
        limit(min(2 * values.min(), -0.2 * extent), max(2 * values.max(), 0.2 * extent))
        ticks(_round_ends(values, extent))
    panels[0].set(xlabel="real part: growth", ylabel="imaginary part: turning")
    if path:
        panels[1].plot(path["position"], path["cosine"], color=_FIRST, marker=".", linewidth=1.2)
        panels[1].axhline(0, color=_INK, linewidth=0.8)
        panels[1].axvline(1, color=_INK, linewidth=0.8, linestyle=":")
        panels[1].set(xlabel="place on the line: 1 is this checkpoint", ylabel="cosine of the path angle")
    return _png(figure, panels)


def best_response(curves):
    """What each player gains alone, against the other held fixed.

    Args:
        curves: the section's "best_response".

    Returns:
        Encoded PNG.
    """
    figure = _figure(2.6)
    axes = figure.subplots()
    for player in ("critic", "generator"):
        axes.plot(
            curves["step"], curves[f"{player}_gain"], color=_COLOURS[player], marker=".", linewidth=1.2, label=player
        )
    axes.axhline(0, color=_INK, linewidth=0.8)
    axes.set(xlabel="steps against the other held fixed", ylabel="gain of its loss")
    axes.legend(frameon=False, labelcolor=_INK, fontsize=9, ncols=2)
    return _png(figure, [axes])


def of_sections(sections):
    """The figures of a report's sections.

    Args:
        sections: the report's "sections".

    Returns:
        {key of the section: encoded PNG}, of those that have one.
    """
    pictures = {}
    for key, section in sections.items():
        if "curves" in section:
            pictures[key] = fresh_critic(section["curves"])
        if "eigenvalues" in section:
            pictures[key] = spectrum(section["eigenvalues"], section.get("path"))
        if "best_response" in section:
            pictures[key] = best_response(section["best_response"])
    return pictures


def _positive(values):
    """For a logarithmic axis: what is 0 or missing leaves a gap."""
    values = np.array(values, float)
    return np.where(values > 0, values, np.nan)


def _round_ends(values, extent):
    """Ticks: 0, and a round number near the outermost values on either side, where these are far from 0."""
    ends = [end for end in (values.min(), values.max()) if abs(end) > 0.1 * extent]
    return sorted({0.0, *(math.copysign(10 ** math.floor(math.log10(abs(end))), end) for end in ends)})


def _no_ticks():
    from matplotlib.ticker import NullLocator

    return NullLocator()


def _bars(classes, what, keys, label, reference_label):
    """A bar with an interval and a reference's line for each class; `keys` of the three, each of which may be None."""
    names = [entry["name"] for entry in classes]
    places = np.arange(len(names))
    value, interval, reference = ([entry[key] for entry in classes] for key in keys)
    shares = 100 * np.array(value, float)
    figure = _figure(2.9)
    axes = figure.subplots()
    axes.bar(places, shares, 0.7, color=_FIRST, label="samples")
    low, high = 100 * np.array([ends or [share] * 2 for ends, share in zip(interval, value)], float).T
    axes.errorbar(places, shares, [shares - low, high - shares], fmt="none", ecolor=_INK, elinewidth=1.2, capsize=2)
    reference = 100 * np.array(reference, float)
    axes.hlines(reference, places - 0.42, places + 0.42, color=_SECOND, linewidth=2, label=reference_label)
    if len(names) <= 30:
        slanted = max(map(len, names)) * len(names) > 80
        axes.set_xticks(places, names, rotation=35 if slanted else 0, ha="right" if slanted else "center")
    axes.set_ylabel(label)
    axes.set_xlabel("" if len(names) <= 30 and max(map(len, names)) > 3 else what)
    top = 1.25 * np.nanmax([high, reference])
    axes.set_ylim(0, top)
    if top > 100:  # room for the legend, which is no share
        axes.set_yticks(range(0, 101, 20))
    axes.legend(frameon=False, labelcolor=_INK, fontsize=9, ncols=2, loc="upper right")
    return _png(figure, [axes])


def _column(rows, key):
    return [row.get(key, np.nan) for row in rows]


def _figure(height):
    """A figure as wide as all, so that letters are of one size: of 9 pixels on a phone, 390 pixels wide."""
    from matplotlib.figure import Figure

    return Figure(figsize=(_WIDTH, height), dpi=200, layout="constrained")


def _png(figure, panels):
    for axes in panels:
        axes.tick_params(which="both", colors=_INK, labelsize=9.5)
        axes.xaxis.label.set(color=_INK, size=9.5)
        axes.yaxis.label.set(color=_INK, size=9.5)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(_INK)
        axes.grid(axis="y", color=_INK, alpha=0.2, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.patch.set_alpha(0.0)
    encoded = io.BytesIO()
    # Without the library's name and date in it, equal numbers give equal files.
    figure.savefig(encoded, format="png", transparent=True, metadata={"Software": None})
    return encoded.getvalue()
