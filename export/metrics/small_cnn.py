"""A small CNN classifier whose penultimate layer is the feature space for small labelled images."""

from __future__ import annotations

import keras
import numpy as np

from zoo.pixels import to_float
from zoo.progress import Progress


class SmallCNN(keras.Model):
    """Convolution-pool blocks, a dense feature layer and a dense head, as in LeNet, with (leaky) ReLU activations.

    Blocks of a 3×3 convolution and a 2×2 max-pool are stacked until the image is at most 7 pixels high and wide, with
    at least two convolutions. The first one has stride 2 where the image is larger than 48 pixels. There is no batch
    normalisation, so the features of an image do not depend on its batch.

    Args:
      data_shape: (height, width, channels) of the images.
      num_classes: size of the head.
      feature_dim: width of the feature layer.
      filters: filters of the first convolution; the later ones have twice as many.
      dropout: share of features dropped while training.
      seed: seeds the initial weights and the dropout, independently of Keras' global seed.

    Call: images float32 [N, H, W, C] in [-1, 1] → logits float32 [N, num_classes]. `features_and_logits` also returns
    the features, float32 [N, feature_dim].
    """

    def __init__(self, data_shape, num_classes, feature_dim=128, filters=32, dropout=0.3, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.data_shape = tuple(int(size) for size in data_shape)
        self.num_classes, self.feature_dim, self.filters = int(num_classes), int(feature_dim), int(filters)
        self.dropout_rate, self.seed = float(dropout), int(seed)
        seeds = iter(range(1000 * self.seed, 1000 * (self.seed + 1)))

        def he_normal():
            return keras.initializers.HeNormal(seed=next(seeds))

        self.blocks = []
        side = max(self.data_shape[:2])
        while side > 7 or len(self.blocks) < 2:
            width = self.filters * (2 if self.blocks else 1)
            strides = 2 if side > 48 and not self.blocks else 1
            convolution = keras.layers.Conv2D(
                width, 3, strides, padding="same", activation="relu", kernel_initializer=he_normal()
            )
            side = -(-side // strides)
            pool = keras.layers.MaxPooling2D(2, padding="same") if side > 7 else None
            side = -(-side // 2) if pool else side
            self.blocks.append((convolution, pool))
        # Keras tracks layers held in flat lists, not in lists of tuples.
        self.convolutions = [convolution for convolution, _ in self.blocks]
        self.flatten = keras.layers.Flatten()
        # Leaky, because the pooled activations below are all positive: a third of plain ReLUs would be zero for every
        # image, and the feature space smaller than `feature_dim` by as much.
        self.hidden = keras.layers.Dense(self.feature_dim, activation="leaky_relu", kernel_initializer=he_normal())
        self.dropout = keras.layers.Dropout(self.dropout_rate, seed=next(seeds))
        self.head = keras.layers.Dense(
            self.num_classes, kernel_initializer=keras.initializers.GlorotUniform(seed=next(seeds))
        )

    def features_and_logits(self, images, training=False):
        """Images float32 [N, H, W, C] in [-1, 1] → (features float32 [N, feature_dim], logits float32 [N, classes])."""
        # To [0, 1]: black, the value of most pixels, becomes 0 like the padding. This learns faster than -1.
        hidden = 0.5 * images + 0.5
        for convolution, pool in self.blocks:
            hidden = convolution(hidden)
            hidden = pool(hidden) if pool else hidden
        features = self.hidden(self.flatten(hidden))
        return features, self.head(self.dropout(features, training=training))

    def feature_maps(self):
        """The maps of the last convolution, before it is pooled, as a network of Keras' own layers with these weights.

        Returns:
          keras.Model, images float32 [N, H, W, C] in [-1, 1] → float32 [N, H', W', filters].
        """
        images = keras.Input(self.data_shape)
        hidden = keras.layers.Rescaling(0.5, 0.5)(images)
        *others, (last, _) = self.blocks
        for convolution, pool in others:
            hidden = convolution(hidden)
            hidden = pool(hidden) if pool else hidden
        return keras.Model(images, last(hidden))

    def call(self, images, training=False):
        return self.features_and_logits(images, training=training)[1]

    def get_config(self):
        return {
            **super().get_config(),
            "data_shape": self.data_shape,
            "num_classes": self.num_classes,
            "feature_dim": self.feature_dim,
            "filters": self.filters,
            "dropout": self.dropout_rate,
            "seed": self.seed,
        }


class _ShuffledBatches(keras.utils.PyDataset):
    """Batches of uint8 images held in memory; the order depends only on (seed, epoch)."""

    def __init__(self, images, labels, batch_size, seed):
        super().__init__()
        self.images, self.labels, self.batch_size, self.seed = images, labels, batch_size, seed
        self.epoch = 0
        self._shuffle()

    def _shuffle(self):
        self.order = np.random.default_rng((self.seed, self.epoch)).permutation(len(self.images))

    def __len__(self):
        return len(self.images) // self.batch_size

    def __getitem__(self, index):
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        return to_float(self.images[chosen]), self.labels[chosen]

    def on_epoch_end(self):
        self.epoch += 1
        self._shuffle()


class _ShowProgress(keras.callbacks.Callback):
    """Shows steps taken, training accuracy and time left."""

    def __init__(self, progress):
        super().__init__()
        self.progress = progress

    def on_train_batch_end(self, batch, logs=None):
        self.progress.update(self.progress.done + 1, lambda: f"accuracy {logs['accuracy']:.3f}")


def fit(images, labels, num_classes, epochs=8, batch_size=256, learning_rate=1e-3, seed=0, **network):
    """Trains a `SmallCNN` with cross-entropy and Adam; the learning rate falls to zero by cosine decay.

    Args:
      images: uint8 [N, H, W, C].
      labels: int [N] in [0, num_classes).
      num_classes: number of classes.
      epochs: passes over the images.
      batch_size: images a step, at most N; images beyond the last whole batch are left out of an epoch.
      learning_rate: at the first step.
      seed: seeds weights, dropout and order. The same seed gives the same weights on the same machine.
      **network: further arguments of `SmallCNN`.

    Returns:
      The trained network.
    """
    batches = _ShuffledBatches(images, labels, min(batch_size, len(images)), seed)
    model = SmallCNN(images.shape[1:], num_classes, seed=seed, **network)
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, max(1, epochs * len(batches)))
    model.compile(
        optimizer=keras.optimizers.Adam(schedule),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    with Progress(epochs * len(batches), "training the classifier", "step") as progress:
        model.fit(batches, epochs=epochs, verbose=0, shuffle=False, callbacks=[_ShowProgress(progress)])
    return model
