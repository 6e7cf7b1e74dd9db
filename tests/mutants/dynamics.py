"""Mistakes in the dynamics."""

from mutants.mutant import of_file

DEFAULTS = "tests/trainers/test_defaults.py"
DYNAMICS = "tests/trainers/test_dynamics.py"
GAN = "tests/trainers/test_gan.py"
EVERY_DYNAMICS = "tests/trainers/dynamics/test_every_dynamics.py"
BILINEAR = "tests/trainers/dynamics/test_dynamics_bilinear.py"
DERIVATIVES = "tests/trainers/dynamics/test_dynamics_derivatives.py"
MODEL = "tests/trainers/test_model.py"
#: Generated examples that are made under no conditions.
UNCONDITIONED = ("gan.generate(noise, real.conditions)", "gan.generate(noise)")

MUTANTS = [
    *of_file(
        "trainers/dynamics/alternating.py",
        f"{DYNAMICS} {BILINEAR} -k 'alternating or historical_averaging_is'",
        ("tf.shape(real.x)[0], draw)", "tf.shape(real.x)[0])"),
        ("self.direction(critic, critic.gradients(tape, critic_loss))", "critic.gradients(tape, critic_loss)"),
        (
            "self.direction(generator, generator.gradients(generator_tape, generator_loss))",
            "generator.gradients(generator_tape, generator_loss)",
        ),
        ("            critic.update(critic_gradients)\n", ""),
        ("        generator.update(generator_gradients)\n", ""),
        ("enumerate(batches)", "enumerate(batches[:1])"),
        (
            "fake.constant()",
            "fake",
            "only the critic's weights are differentiated there, and they do not make `fake`",
        ),
    ),
    *of_file(
        "trainers/dynamics/alternating.py",
        f"{GAN} -k means_over",
        ("critic.logs(critic_loss, critic_gradients)", "critic.logs(critic_loss, generator_gradients)"),
        ("critic.logs(critic_loss, critic_gradients)", "critic.logs(generator_loss, critic_gradients)"),
    ),
    *[
        row
        for play in ("alternating", "base", "simultaneous", "consensus", "locally_stable")
        for row in of_file(f"trainers/dynamics/{play}.py", MODEL, UNCONDITIONED)
    ],
    *of_file(
        "trainers/dynamics/base.py",
        f"{DYNAMICS} {BILINEAR} {EVERY_DYNAMICS} -k 'simultaneous or logs or come_first or refused'",
        ("tf.shape(real.x)[0], draw)", "tf.shape(real.x)[0])"),
        ("tf.shape(last.x)[0], len(before))", "tf.shape(last.x)[0])"),
        ("*before, last = batches", "last, *before = batches"),
        ("return self.critic_steps", "return 1"),
        ("whole(1, MOST_MOVES)", "whole(0, MOST_MOVES)"),
        ('gan.players["critic"].descend(tape, critic_loss)', "pass"),
        (
            "fake = gan.generate(noise, real.conditions).constant()",
            "fake = gan.generate(noise, real.conditions)",
            "only the critic's weights are differentiated there",
        ),
        ("        critic.update(of_critic)\n", ""),
        ("        generator.update(of_generator)\n", ""),
    ),
    *of_file(
        "trainers/dynamics/simultaneous.py",
        f"{DYNAMICS} -k 'simultaneous_takes or logs'",
        ("critic_loss = gan.critic_total_loss", "critic_loss = -gan.critic_total_loss"),
        ("critic.logs(critic_loss, critic_gradients)", "critic.logs(critic_loss, generator_gradients)"),
        ("generator.logs(generator_loss, generator_gradients)", "generator.logs(critic_loss, generator_gradients)"),
    ),
    *of_file(
        "trainers/dynamics/simultaneous.py",
        f"{BILINEAR} -k field",
        ("gan.critic_total_loss(real, fake, noise)", "gan.critic_total_loss(real, fake.constant(), noise)"),
        (
            "return (critic_gradients, generator_gradients), logs",
            "return (generator_gradients, critic_gradients), logs",
        ),
    ),
    *of_file(
        "trainers/dynamics/alternating.py",
        f"{BILINEAR} -k field",
        ("self.direction(player, gradients) for", "gradients for"),
    ),
    *of_file(
        "trainers/dynamics/consensus.py",
        f"{BILINEAR} {DERIVATIVES} {DEFAULTS} -k 'consensus and (path or descends or defaults)'",
        ("v + self.gamma * p for v, p in zip(critic_field", "v - self.gamma * p for v, p in zip(critic_field"),
        ("v + self.gamma * p for v, p in zip(generator_field", "v - self.gamma * p for v, p in zip(generator_field"),
        ("v + self.gamma * p for v, p in zip(generator_field", "v for v, p in zip(generator_field"),
        ("0.5 * squared_norm", "squared_norm"),
        ("critic_field + generator_field", "critic_field"),
        ("critic.logs(critic_loss, critic_field", "critic.logs(critic_loss, critic_pull"),
        ("gamma = Option(10.0,", "gamma = Option(1.0,"),
    ),
    *of_file(
        "trainers/dynamics/locally_stable.py",
        f"{BILINEAR} {DERIVATIVES} {DEFAULTS} -k 'locally_stable and (path or adds or defaults)'",
        ("generator_loss + self.eta", "generator_loss - self.eta"),
        ("total = generator_loss + ", "total = "),
        ("self.eta * squared_norm", "squared_norm"),
        ("eta = Option(0.5,", "eta = Option(1.0,"),
        ("generator.logs(generator_loss, generator_gradients)", "generator.logs(total, generator_gradients)"),
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
        ("gan.constrain(variable, weight) for variable, weight", "weight for variable, weight"),
        ("tf.where(none, tf.ones_like(second), second)", "second"),
        (
            "return _substituted(variables, weights)\n\n\ndef",
            "return super().answered(gan, real, fake, noise)\n\n\ndef",
        ),
        (
            "self.rate = optimizer.learning_rate if rate is None else rate\n\n    @staticmethod",
            "self.rate = optimizer.learning_rate\n\n    @staticmethod",
        ),
        ("steps = Option(5,", "steps = Option(1,"),
        ('surrogate = Option("adam",', 'surrogate = Option("sgd",'),
    ),
    *of_file(
        "trainers/dynamics/unrolled.py",
        f"{EVERY_DYNAMICS} -k 'replicas and unrolled'",
        ("advance(weights, mean_over_replicas(gradients))", "advance(weights, gradients)"),
    ),
    *of_file(
        "trainers/dynamics/historical_averaging.py",
        f"{BILINEAR} {DEFAULTS} -k 'historical_averaging and (is_that or defaults)'",
        ("g + 2.0 * self.weight", "g - 2.0 * self.weight"),
        ("2.0 * self.weight", "self.weight"),
        ("count = self.count.value + 1", "count = self.count.value + 2"),
        ("_REMEMBERED.index(player.name)", "1"),
        ("weight = Option(1.0,", "weight = Option(0.5,"),
        ("mean + (weight - mean) / tf.cast(count, mean.dtype)", "weight"),
    ),
]
