"""Pictures of samples by class: names beside rows, points in the colours of their labels."""

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from zoo import grids


def test_a_picture_by_class_has_the_same_seeds_under_each_class():
    seeds, labels = grids.class_rows([4, 7], first_seed=3)
    assert seeds.dtype == labels.dtype == np.int64
    assert list(zip(labels, seeds)) == [(4, seed) for seed in range(3, 11)] + [(7, seed) for seed in range(3, 11)]
    seeds, labels = grids.class_rows(range(25))
    assert sorted(set(labels)) == list(range(10)) and len(labels) == 80


@pytest.mark.parametrize("side, tile", [(8, 64), (28, 56), (10, 60)])
@pytest.mark.parametrize("channels", [1, 3])
def test_names_stand_beside_their_rows_and_the_images_are_those_of_the_grid(side, tile, channels):
    images = np.random.default_rng(0).integers(0, 256, (6, side, side, channels), np.uint8)
    plain = np.asarray(grids.image_grid(images, columns=2))
    named = np.asarray(grids.image_grid(images, names=["Wii", "", "W"]))
    width = 2 * tile + 2
    np.testing.assert_array_equal(named[:, -width:], plain)
    assert named.dtype == np.uint8 and named.shape[0] == 3 * tile + 4
    beside = named[:, :-width].reshape(len(named), -1, channels)
    assert (beside.min() < 64) and (beside[:, :4] == 255).all() and (beside[:, -4:] == 255).all()
    ink = (beside < 128).any(axis=(1, 2))
    rows = [ink[row * (tile + 2) : row * (tile + 2) + tile] for row in range(3)]
    # The middle of capitals is that of the row; a name that is empty leaves no ink.
    for row in (rows[0], rows[2]):
        marked = np.flatnonzero(row)
        assert abs((marked[0] + marked[-1]) / 2 - tile / 2) < 3 and 8 <= len(marked) <= 16
    assert not rows[1].any()


def test_a_name_takes_as_many_lines_as_fit():
    images = np.zeros((2, 64, 8, 1), np.uint8)

    def lines(name):
        beside = np.asarray(grids.image_grid(images, names=[name, "x"]).convert("L"))[:64, :-8]
        ink = (beside < 128).any(axis=1)
        return np.count_nonzero(ink[1:] & ~ink[:-1])

    assert [lines(name) for name in ("W", "W " * 15, "W " * 25, "W " * 80)] == [1, 2, 3, 3]


def test_a_long_name_is_cut_and_may_hold_a_line_break():
    images = np.zeros((2, 8, 8, 1), np.uint8)
    wide = grids.image_grid(images, names=["i" * 20, "x"])
    assert grids.image_grid(images, names=["i" * 400, "x"]).width <= wide.width + 20
    assert grids.image_grid(images, names=["two\nlines", "x"]).size == (
        grids.image_grid(images, names=["two lines", "x"]).size
    )


def test_points_have_the_colours_of_their_labels(monkeypatch):
    drawn, scatter = [], Axes.scatter

    def recorded(self, *args, **options):
        drawn.append(options["c"])
        return scatter(self, *args, **options)

    monkeypatch.setattr(Axes, "scatter", recorded)
    points = np.random.default_rng(0).normal(size=(4, 2))
    coloured = grids.point_plot(points, points, labels=np.array([0, 3, 13, 9]))
    grey, colours = drawn
    assert grey == "0.75" and [to_rgb(colour) for colour in colours] == [to_rgb(f"C{index}") for index in (0, 3, 3, 9)]
    assert coloured.size == grids.point_plot(points, points).size == (640, 640)
    assert drawn[-1] == "C0"
