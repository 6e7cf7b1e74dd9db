"""The small classifier: its shapes and its reproducibility."""

import numpy as np
import pytest

from export.metrics import small_cnn
from zoo.progress import Progress


@pytest.mark.parametrize("shape, convolutions", [((8, 8, 1), 2), ((28, 28, 1), 2), ((20, 30, 3), 3), ((64, 64, 3), 3)])
def test_any_image_size_gives_the_asked_widths(shape, convolutions):
    model = small_cnn.SmallCNN(shape, num_classes=5, feature_dim=16, filters=4)
    features, logits = model.features_and_logits(np.zeros((2, *shape), np.float32))
    assert features.shape == (2, 16) and logits.shape == (2, 5)
    assert len(model.convolutions) == convolutions
    again = small_cnn.SmallCNN.from_config(model.get_config())
    np.testing.assert_array_equal(again(np.ones((1, *shape), np.float32)), model(np.ones((1, *shape), np.float32)))


def test_training_repeats_whatever_the_global_seed():
    import keras

    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (96, 8, 8, 1), np.uint8), rng.integers(0, 3, 96)
    runs = []
    for global_seed in (1, 2):
        keras.utils.set_random_seed(global_seed)
        runs.append(small_cnn.fit(images, labels, 3, epochs=2, batch_size=32, feature_dim=8).get_weights())
    for one, other in zip(*runs):
        # Threads may add in another order.
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def test_training_shows_how_far_it_is(monkeypatch):
    shown = []
    monkeypatch.setattr(Progress, "update", lambda self, done, note: shown.append((done, self.total, note())))
    monkeypatch.setattr(Progress, "done", property(lambda self: len(shown), lambda self, done: None), raising=False)
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (64, 8, 8, 1), np.uint8), rng.integers(0, 3, 64)
    small_cnn.fit(images, labels, 3, epochs=2, batch_size=32, feature_dim=8)
    assert [done for done, _, _ in shown] == [1, 2, 3, 4]
    assert all(total == 4 and note.startswith("accuracy 0.") for _, total, note in shown)


@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (64, 64, 3)])
def test_the_features_are_made_of_the_feature_maps(shape, tmp_path):
    import keras

    model = small_cnn.SmallCNN(shape, num_classes=5, feature_dim=16, filters=4)
    images = np.random.default_rng(0).uniform(-1, 1, (2, *shape)).astype(np.float32)
    features, _ = model.features_and_logits(images)
    model.feature_maps().save(tmp_path / "maps.keras")
    maps = keras.saving.load_model(tmp_path / "maps.keras")(images)
    _, pool = model.blocks[-1]
    found = model.hidden(model.flatten(pool(maps) if pool else maps))
    np.testing.assert_allclose(found, features, rtol=1e-5, atol=1e-6)
