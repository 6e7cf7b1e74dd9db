"""The report's diagrams, as PNG with a transparent ground and grey ink, legible on light and on dark pages."""

import io

import numpy as np

_INK = "#7d8590"
_FIRST, _SECOND = "#3b82f6", "#f59e0b"
_COLOURS = {"critic": _FIRST, "generator": _SECOND}
#: Of further players.
_MORE = ("#10b981", "#a855f7", "#ef4444")


def loss_curves(rows):
    """Losses and gradient norms of all players over the steps.

    Args:
        rows: list of dicts, the rows of `metrics.jsonl`.

    Returns:
        Encoded PNG, or None for fewer than two rows.
    """
    if len(rows) < 2:
        return None
    steps = [row["step"] for row in rows]
    players = [key.removesuffix("_loss") for key in rows[0] if key.endswith("_loss")]
    # Critic and generator first, in the colours that they always have.
    players = sorted(players, key=lambda player: (player not in _COLOURS, player))
    colours = _COLOURS | dict(zip([player for player in players if player not in _COLOURS], _MORE))
    norms = [player for player in players if f"{player}_gradient_norm" in rows[0]]
    figure = _figure(7.2, 2.9 if not norms else 4.4)
    panels = np.atleast_1d(figure.subplots(2 if norms else 1, 1, sharex=True))
    for player in players:
        label, values = player.replace("_", " "), _column(rows, f"{player}_loss")
        panels[0].plot(steps, values, color=colours[player], linewidth=1.2, label=label)
    panels[0].set_ylabel("loss")
    panels[0].legend(frameon=False, labelcolor=_INK, fontsize=9, ncols=len(players))
    for player in norms:
        panels[1].plot(steps, _column(rows, f"{player}_gradient_norm"), color=colours[player], linewidth=1.2)
    if norms:
        panels[1].set(ylabel="gradient norm", yscale="log")
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


def _bars(classes, what, keys, label, reference_label):
    """A bar with an interval and a reference's line for each class; `keys` of the three, each of which may be None."""
    names = [entry["name"] for entry in classes]
    places = np.arange(len(names))
    value, interval, reference = ([entry[key] for entry in classes] for key in keys)
    shares = 100 * np.array(value, float)
    figure = _figure(7.2, 3.0)
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


def _figure(width, height):
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=200, layout="constrained")


def _png(figure, panels):
    for axes in panels:
        axes.tick_params(which="both", colors=_INK, labelsize=8)
        axes.xaxis.label.set(color=_INK, size=9)
        axes.yaxis.label.set(color=_INK, size=9)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(_INK)
        axes.grid(axis="y", color=_INK, alpha=0.2, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.patch.set_alpha(0.0)
    encoded = io.BytesIO()
    # Without the library's name and date in it, equal numbers give equal files.
    figure.savefig(encoded, format="png", transparent=True, metadata={"Software": None})
    return encoded.getvalue()
