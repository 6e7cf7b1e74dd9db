"""Mistakes in how the players move."""

from mutants.mutant import of_file

DEFAULTS = "tests/trainers/test_defaults.py"
DYNAMICS = "tests/trainers/test_dynamics.py"
EVERY_DYNAMICS = "tests/trainers/dynamics/test_every_dynamics.py"
BILINEAR = "tests/trainers/dynamics/test_dynamics_bilinear.py"
DERIVATIVES = "tests/trainers/dynamics/test_dynamics_derivatives.py"

MUTANTS = [
    *of_file(
        "trainers/dynamics/alternating.py",
        f"{DYNAMICS} {BILINEAR} -k 'alternating or historical_averaging_is'",
        ("tf.shape(real)[0], draw)", "tf.shape(real)[0])"),
        (
            "self.direction(gan, gan.critic, gan.gradients(tape, critic_loss, gan.critic))",
            "gan.gradients(tape, critic_loss, gan.critic)",
        ),
        ("generator_gradients = self.direction(gan, gan.generator, generator_gradients)\n", "\n"),
        ("enumerate(batches)", "enumerate(batches[:1])"),
        (
            "tf.stop_gradient(fake)",
            "fake",
            "only the critic's weights are differentiated there, and they do not make `fake`",
        ),
    ),
    *of_file(
        "trainers/dynamics/base.py",
        f"{DYNAMICS} {BILINEAR} {EVERY_DYNAMICS} -k 'simultaneous or logs or come_first or refused'",
        ("tf.shape(real)[0], draw)", "tf.shape(real)[0])"),
        ("tf.shape(last)[0], len(before))", "tf.shape(last)[0])"),
        ("*before, last = batches", "last, *before = batches"),
        ("return self.critic_steps", "return 1"),
        (
            '"critic_gradient_norm": tf.linalg.global_norm(critic_gradients)',
            '"critic_gradient_norm": tf.linalg.global_norm(generator_gradients)',
        ),
        ("critic_steps < 1", "critic_steps < 0"),
        ("not 0 <= value", "not -2 < value"),
        ("gan.update_critic(gan.gradients(tape, critic_loss, gan.critic))", "pass"),
        (
            "tf.stop_gradient(gan.generate(noise))",
            "gan.generate(noise)",
            "only the critic's weights are differentiated there",
        ),
    ),
    *of_file(
        "trainers/dynamics/simultaneous.py",
        f"{DYNAMICS} -k simultaneous_takes",
        ("gan.gradients(critic_tape, critic_loss, gan.critic)", "gan.gradients(critic_tape, -critic_loss, gan.critic)"),
        ("gan.update_critic(critic_gradients)\n", "\n"),
        ("gan.update_generator(generator_gradients)\n", "\n"),
        ("tf.stop_gradient(fake)", "fake", "only the critic's weights are differentiated there"),
    ),
    *of_file(
        "trainers/dynamics/consensus.py",
        f"{BILINEAR} {DERIVATIVES} {DEFAULTS} -k 'consensus and (path or descends or defaults)'",
        ("v + self.gamma * p for v, p in zip(critic_field", "v - self.gamma * p for v, p in zip(critic_field"),
        ("v + self.gamma * p for v, p in zip(generator_field", "v - self.gamma * p for v, p in zip(generator_field"),
        ("v + self.gamma * p for v, p in zip(generator_field", "v for v, p in zip(generator_field"),
        ("0.5 * squared_norm", "squared_norm"),
        ("critic_field + generator_field", "critic_field"),
        ("self.logs(critic_loss, critic_field", "self.logs(critic_loss, critic_pull"),
        ("gamma=10.0", "gamma=1.0"),
    ),
    *of_file(
        "trainers/dynamics/locally_stable.py",
        f"{BILINEAR} {DERIVATIVES} {DEFAULTS} -k 'locally_stable and (path or adds or defaults)'",
        ("generator_loss + self.eta", "generator_loss - self.eta"),
        ("total = generator_loss + ", "total = "),
        ("self.eta * squared_norm", "squared_norm"),
        ("eta=0.5", "eta=1.0"),
        (
            "return self.logs(critic_loss, critic_gradients, generator_loss",
            "return self.logs(critic_loss, critic_gradients, total",
        ),
    ),
    *of_file(
        "trainers/dynamics/unrolled.py",
        f"{DERIVATIVES} {BILINEAR} {DEFAULTS} -k 'unrolled or surrogate'",
        ("for _ in range(self.steps):", "for _ in range(1):"),
        ("w - _rate(self.rate, w) * g", "w + _rate(self.rate, w) * g"),
        ("tf.sqrt(1.0 - powers[1])", "tf.sqrt(powers[1])"),
        ("(1.0 - powers[0])", "1.0"),
        ("* (1.0 - one)", "* one"),
        ("self.count = self.count + 1", "self.count = self.count + 2"),
        ("self.first[index], self.second[index] = first, second", "pass"),
        ("(root + self.epsilon)", "root"),
        ("tf.clip_by_value(weight, -bound, bound)", "weight"),
        ("tf.where(none, tf.ones_like(second), second)", "second"),
        (
            "return _substituted(variables, weights)\n\n\ndef",
            "return super().answered(gan, real, fake, noise)\n\n\ndef",
        ),
        (
            "self.rate = optimizer.learning_rate if rate is None else rate\n\n    @staticmethod",
            "self.rate = optimizer.learning_rate\n\n    @staticmethod",
        ),
        ('steps=5, surrogate="adam"', 'steps=1, surrogate="adam"'),
        ('steps=5, surrogate="adam"', 'steps=5, surrogate="sgd"'),
    ),
    *of_file(
        "trainers/dynamics/unrolled.py",
        f"{EVERY_DYNAMICS} -k 'replicas and unrolled'",
        ("all_reduce(tf.distribute.ReduceOp.MEAN, gradients)", "all_reduce(tf.distribute.ReduceOp.SUM, gradients)"),
    ),
    *of_file(
        "trainers/dynamics/historical_averaging.py",
        f"{BILINEAR} {DEFAULTS} -k 'historical_averaging and (is_that or defaults)'",
        ("g + 2.0 * self.weight", "g - 2.0 * self.weight"),
        ("2.0 * self.weight", "self.weight"),
        ("count = self.count.value + 1", "count = self.count.value + 2"),
        ("0 if player is gan.critic else 1", "1 if player is gan.critic else 1"),
        ("weight=1.0", "weight=0.5"),
        ("mean + (weight - mean) / tf.cast(count, mean.dtype)", "weight"),
    ),
]
