"""Time of a DCGAN training step of this library and of a plain Keras script, with the same networks and update order.

The plain script follows the Keras documentation: keras.layers.BatchNormalization, a gradient tape for each player,
latents from keras.random, new generated images for each player.

  python -m benchmarks.training_step --image_size=32 --channels=3 --batch_size=64
"""

import numpy as np
from absl import app, flags

from benchmarks.interleaved import interleaved

_SIZE = flags.DEFINE_integer("image_size", 32, "Side of the images.")
_CHANNELS = flags.DEFINE_integer("channels", 3, "1 or 3.")
_BATCH = flags.DEFINE_integer("batch_size", 64, "Images a step.")
_ROUNDS = flags.DEFINE_integer("rounds", 7, "Turns of each side, five steps a turn.")


def plain_keras_script(image_shape, latent_dim=64, filters=64):
    """A compiled DCGAN as a keras.Model subclass like the documentation's; same layers and widths as `zoo.dcgan`."""
    import keras
    import tensorflow as tf
    from keras import layers

    size, widths = image_shape[0], []
    while size > 4 and size % 2 == 0 and size != 7:
        size, widths = size // 2, [filters * 2 ** len(widths), *widths]
    generator = keras.Sequential([keras.Input((latent_dim,)), layers.Dense(size * size * widths[0], use_bias=False)])
    generator.add(layers.Reshape((size, size, widths[0])))
    for width in widths[1:]:
        generator.add(layers.BatchNormalization())
        generator.add(layers.ReLU())
        generator.add(layers.Conv2DTranspose(width, 4, 2, "same", use_bias=False))
    generator.add(layers.BatchNormalization())
    generator.add(layers.ReLU())
    generator.add(layers.Conv2DTranspose(image_shape[2], 4, 2, "same", activation="tanh"))
    critic = keras.Sequential([keras.Input(image_shape)])
    for index, width in enumerate(reversed(widths)):
        critic.add(layers.Conv2D(width, 4, 2, "same", use_bias=index == 0))
        if index:
            critic.add(layers.BatchNormalization())
        critic.add(layers.LeakyReLU(0.2))
    critic.add(layers.Flatten())
    critic.add(layers.Dense(1))

    class Script(keras.Model):
        def __init__(self):
            super().__init__()
            self.generator, self.critic = generator, critic
            self.loss_fn = keras.losses.BinaryCrossentropy(from_logits=True)
            self.built = True

        def compile(self):
            super().compile(jit_compile=False)
            self.g_optimizer, self.d_optimizer = (keras.optimizers.Adam(2e-4, beta_1=0.5) for _ in range(2))

        def train_step(self, real):
            count = tf.shape(real)[0]
            ones, zeros = tf.ones((count, 1)), tf.zeros((count, 1))
            fake = self.generator(keras.random.normal((count, latent_dim)), training=True)
            with tf.GradientTape() as tape:
                d_loss = self.loss_fn(ones, self.critic(real, training=True))
                d_loss += self.loss_fn(zeros, self.critic(fake, training=True))
            gradients = tape.gradient(d_loss, self.critic.trainable_weights)
            self.d_optimizer.apply_gradients(zip(gradients, self.critic.trainable_weights))
            with tf.GradientTape() as tape:
                fake = self.generator(keras.random.normal((count, latent_dim)), training=True)
                g_loss = self.loss_fn(ones, self.critic(fake, training=True))
            gradients = tape.gradient(g_loss, self.generator.trainable_weights)
            self.g_optimizer.apply_gradients(zip(gradients, self.generator.trainable_weights))
            return {"d_loss": d_loss, "g_loss": g_loss}

    script = Script()
    script.compile()
    return script


def main(argv):
    del argv
    import tensorflow as tf

    import zoo
    from trainers.objectives.non_saturating import NonSaturating

    shape = (_SIZE.value, _SIZE.value, _CHANNELS.value)
    images = np.random.default_rng(0).uniform(-1, 1, (8 * _BATCH.value, *shape)).astype(np.float32)
    ours = NonSaturating(zoo.DCGANGenerator(shape), zoo.DCGANCritic(shape))
    ours.compile()
    plain = plain_keras_script(shape)
    for name in ("generator", "critic"):
        if getattr(ours, name).count_params() != getattr(plain, name).count_params():
            raise AssertionError(f"the two {name}s differ in size")
    plain.make_train_function()

    def turns(step):
        feed = iter(tf.data.Dataset.from_tensor_slices(images).batch(_BATCH.value).repeat())

        def run():
            for _ in range(5):
                step(feed)

        run()
        return run

    sides = {"tf-gan-zoo": turns(ours.make_train_function()), "plain Keras": turns(plain.train_function)}
    seconds = interleaved(sides, _ROUNDS.value)
    for name, value in seconds.items():
        print(f"{name:12s} {value / 5 * 1e3:6.1f} ms/step   {5 * _BATCH.value / value:7,.0f} images/s")
    print(f"ratio        {seconds['plain Keras'] / seconds['tf-gan-zoo']:.2f}")


if __name__ == "__main__":
    app.run(main)
