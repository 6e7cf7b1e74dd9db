"""The small classifier whose penultimate layer serves as feature space for small labelled images."""

from __future__ import annotations

import keras
import numpy as np

from zoo.pixels import to_float
from zoo.progress import Progress


class SmallCNN(keras.Model):
    """Convolution-pool blocks, a dense feature layer, a dense head: LeNet's plan with rectifiers.

    Blocks of a 3×3 convolution and a 2×2 max-pool are stacked until the image is at most 7 pixels high and wide, at
    least two convolutions in all; the first one has stride 2 where the image is larger than 48 pixels. No batch
    normalisation: the features of an image then cannot depend on the batch it travels in.

    Args:
      data_shape: (height, width, channels) of the images.
      num_classes: size of the head.
      feature_dim: width of the feature layer.
      filters: filters of the first convolution; the later ones have twice as many.
      dropout: share of features dropped while training.
      seed: seeds the initial weights and the dropout, independently of Keras' global seed.

    Call: images float32 [N, H, W, C] in [-1, 1] → logits float32 [N, num_classes]. `features_and_logits` gives the
    features float32 [N, feature_dim] beside them.
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
        # Leaky, because the pooled activations below are all positive: a third of plain rectified units would then be
        # zero for every image, and the feature space that much smaller than it says.
        self.hidden = keras.layers.Dense(self.feature_dim, activation="leaky_relu", kernel_initializer=he_normal())
        self.dropout = keras.layers.Dropout(self.dropout_rate, seed=next(seeds))
        self.head = keras.layers.Dense(
            self.num_classes, kernel_initializer=keras.initializers.GlorotUniform(seed=next(seeds))
        )

    def features_and_logits(self, images, training=False):
        """Images float32 [N, H, W, C] in [-1, 1] → (features float32 [N, feature_dim], logits float32 [N, classes])."""
        # Zero for black, the value of most pixels and of the padding: it learns faster than from -1.
        hidden = 0.5 * images + 0.5
        for convolution, pool in self.blocks:
            hidden = convolution(hidden)
            hidden = pool(hidden) if pool else hidden
        features = self.hidden(self.flatten(hidden))
        return features, self.head(self.dropout(features, training=training))

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
    """Batches of uint8 images held in memory; the order is a function of (seed, epoch) and of nothing else."""

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
    """Steps taken of all, with accuracy on the training images and the time left."""

    def __init__(self, progress):
        super().__init__()
        self.progress = progress

    def on_train_batch_end(self, batch, logs=None):
        self.progress.update(self.progress.done + 1, lambda: f"accuracy {logs['accuracy']:.3f}")


def fit(images, labels, num_classes, epochs=8, batch_size=256, learning_rate=1e-3, seed=0, **network):
    """Trains a `SmallCNN` by Adam with a cosine decay to zero and cross-entropy.

    Args:
      images: uint8 [N, H, W, C].
      labels: int [N] in [0, num_classes).
      num_classes: number of classes.
      epochs: passes over the images.
      batch_size: images a step; at most N are used.
      learning_rate: its value at the first step.
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
