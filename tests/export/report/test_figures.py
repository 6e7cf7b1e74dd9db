"""The report's diagrams of a run's metrics."""

import numpy as np
import pytest

from export.report import figures


@pytest.mark.parametrize(
    "players, drawn",
    [
        (("critic", "generator"), ["critic", "generator"]),
        (("manifold_critic", "encoder", "critic", "generator"), ["critic", "generator", "encoder", "manifold critic"]),
        (("generator",), ["generator"]),
    ],
)
def test_losses_and_gradient_norms_of_all_players_are_drawn(players, drawn, monkeypatch):
    rows = [
        {"step": step, **{f"{player}_{what}": step + 1.0 for player in players for what in ("loss", "gradient_norm")}}
        for step in (1, 2, 3)
    ]
    monkeypatch.setattr(figures, "_png", lambda figure, panels: panels)
    losses, norms = figures.loss_curves([{**row, "images_per_second": 10.0} for row in rows])
    assert [line.get_label() for line in losses.get_lines()] == drawn
    assert [line.get_color() for line in norms.get_lines()] == [line.get_color() for line in losses.get_lines()]
    assert len({line.get_color() for line in losses.get_lines()}) == len(drawn)
    assert list(losses.get_lines()[0].get_ydata()) == [2.0, 3.0, 4.0]


def test_agreement_is_drawn_with_its_interval_beside_the_training_datas(monkeypatch):
    classes = [
        {"name": "shirt", "agreement": 0.4, "agreement_interval": [0.3, 0.5], "real_agreement": 0.9},
        {"name": "bag", "agreement": None, "agreement_interval": None, "real_agreement": 1.0},
        {"name": "boot", "agreement": 1.0, "agreement_interval": [0.8, 1.0], "real_agreement": None},
    ]
    monkeypatch.setattr(figures, "_png", lambda figure, panels: panels)
    (axes,) = figures.label_agreement(classes, "class")
    heights = [patch.get_height() for patch in axes.patches]
    np.testing.assert_allclose(heights, [40, np.nan, 100])
    # Intervals first, then the lines of the training data; what is not there has no ends.
    drawn = [[part for part in lines.get_segments() if part.ndim == 2] for lines in axes.collections]
    intervals, references = ([part[:, 1].tolist() for part in parts if np.isfinite(part).all()] for parts in drawn)
    assert intervals == [pytest.approx([30, 50]), pytest.approx([80, 100])] and references == [[90, 90], [100, 100]]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["shirt", "bag", "boot"]
    # The room for the legend above 100 % is none for shares.
    assert max(axes.get_yticks()) == 100 < axes.get_ylim()[1]


def test_one_row_is_no_curve():
    assert figures.loss_curves([{"step": 1, "critic_loss": 1.0}]) is None
