"""The report's diagrams: what they draw of a run's metrics."""

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


def test_one_row_is_no_curve():
    assert figures.loss_curves([{"step": 1, "critic_loss": 1.0}]) is None
