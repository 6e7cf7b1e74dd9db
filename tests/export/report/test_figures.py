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


def test_distances_of_diagnosed_checkpoints_are_drawn_below_the_losses(monkeypatch):
    rows = [{"step": step, "critic_loss": 1.0, "generator_loss": 2.0} for step in (1, 2, 3, 4)]
    for step, distance in ((2, 8.0), (4, 5.0)):
        rows.insert(step, {"step": step, "diagnosed": {"frechet_distance": distance, "mode_collapse": "none"}})
    monkeypatch.setattr(figures, "_png", lambda figure, panels: panels)
    losses, distances = figures.loss_curves(rows)
    assert list(losses.get_lines()[0].get_xdata()) == [1, 2, 3, 4]
    (line,) = distances.get_lines()
    assert list(line.get_xdata()) == [2, 4] and list(line.get_ydata()) == [8.0, 5.0]
    assert distances.get_ylabel() == "Fréchet distance" and distances.get_xlabel() == "step"
    # One is no curve.
    assert len(figures.loss_curves(rows[:-2])) == 1


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


CURVES = {
    "step": [0, 1, 10],
    "critic_loss": [1.4, 1.0, 0.1],
    "critic_accuracy": [0.5, 0.75, 1.0],
    "minimax_gradient_norm": [1.0, 0.5, 0.0],
    "minimax_gradient_variance": [3.0, 2.0, 0.0],
    "non_saturating_gradient_norm": [1.0, 2.0, 4.0],
    "non_saturating_gradient_variance": [1.0, 4.0, 16.0],
}


def test_the_fresh_critics_error_and_both_gradients_are_drawn(monkeypatch):
    monkeypatch.setattr(figures, "_png", lambda figure, panels: panels)
    error, norm, variance = figures.fresh_critic(CURVES)
    assert list(error.get_lines()[0].get_ydata()) == [50.0, 25.0, 0.0]
    # A logarithmic axis has no place for 0.
    np.testing.assert_array_equal(norm.get_lines()[0].get_ydata(), [1.0, 0.5, np.nan])
    assert [line.get_label() for line in norm.get_lines()] == ["minimax", "non-saturating"]
    np.testing.assert_array_equal(variance.get_lines()[1].get_ydata(), [1.0, 4.0, 16.0])
    assert variance.get_yscale() == norm.get_yscale() == "log"


@pytest.mark.parametrize("path", [None, {"position": [0, 1, 1.5], "cosine": [0.5, 0.1, -0.2], "norm": [1, 1, 1]}])
def test_eigenvalues_are_drawn_by_whether_they_grow_and_the_path_beside_them(path, monkeypatch):
    monkeypatch.setattr(figures, "_png", lambda figure, panels: panels)
    panels = figures.spectrum([[-1000.0, 0.0], [-1.0, 5.0], [-1.0, -5.0], [2.0, 0.0]], path)
    assert len(panels) == (2 if path else 1)
    shrinks, grows = (points.get_offsets().tolist() for points in panels[0].collections)
    assert shrinks == [[-1000.0, 0.0], [-1.0, 5.0], [-1.0, -5.0]] and grows == [[2.0, 0.0]]
    if path:
        assert list(panels[1].get_lines()[0].get_ydata()) == [0.5, 0.1, -0.2]


@pytest.mark.parametrize("eigenvalues", [[[0.0, 1.0], [0.0, -1.0]], [[0.0, 0.0]], [[-1.0, 0.0]], [[3.0, 0.0]]])
def test_a_spectrum_on_an_axis_is_drawn(eigenvalues):
    assert figures.spectrum(eigenvalues, None).startswith(b"\x89PNG")


def test_what_both_players_gain_is_drawn(monkeypatch):
    monkeypatch.setattr(figures, "_png", lambda figure, panels: panels)
    (axes,) = figures.best_response({"step": [0, 5], "critic_gain": [0.0, 1.0], "generator_gain": [0.0, 0.3]})
    drawn = {line.get_label(): list(line.get_ydata()) for line in axes.get_lines() if len(line.get_ydata()) == 2}
    assert drawn["critic"] == [0.0, 1.0] and drawn["generator"] == [0.0, 0.3]


def test_each_section_has_the_figure_of_what_it_holds():
    sections = {
        "mode_collapse": {},
        "vanishing_gradients": {"curves": CURVES},
        "non_convergence": {"eigenvalues": [[-1.0, 0.5]]},
        "generalization": {"best_response": {"step": [0, 5], "critic_gain": [0, 1], "generator_gain": [0, 0.3]}},
    }
    pictures = figures.of_sections(sections)
    assert list(pictures) == list(sections)[1:] and all(png.startswith(b"\x89PNG") for png in pictures.values())
