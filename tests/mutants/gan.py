"""Mistakes in the model of two players."""

from mutants.mutant import of_file

OBJECTIVES = "tests/trainers/test_objectives.py"
DEFAULTS = "tests/trainers/test_defaults.py"
MODES = "tests/trainers/test_training_mode.py"
GAN = "tests/trainers/test_gan.py"
PENALTIES = "tests/trainers/techniques/test_penalties.py"
NOISE = "tests/trainers/techniques/test_instance_noise.py"
EVERY = "tests/trainers/test_every_objective.py"
TRAINING = "tests/trainers/test_training.py"

MUTANTS = [
    *of_file(
        "trainers/gan.py",
        MODES,
        ("self.critic(real, training=True)", "self.critic(real)"),
        (
            "self.critic(real, training=True), self.critic(fake, training=True)",
            "self.critic(real, training=True), self.critic(fake)",
        ),
        ("self.generator_loss(self.critic(fake, training=True))", "self.generator_loss(self.critic(fake))"),
        (
            'self.generator(noise.normal("latents", [self.latent_dim]), training=True)',
            'self.generator(noise.normal("latents", [self.latent_dim]))',
        ),
        (
            'self.sampler(noise.normal("latents", [self.latent_dim]), training=False)',
            'self.sampler(noise.normal("latents", [self.latent_dim]), training=True)',
        ),
        ("return self.sampler(latents, training=training)", "return self.sampler(latents, training=True)"),
    ),
    *of_file(
        "trainers/gan.py",
        DEFAULTS,
        ("ema_decay=0.999", "ema_decay=0.99"),
        ("Adam(2e-4, beta_1=0.5)", "Adam(1e-3, beta_1=0.5)"),
        ("Adam(2e-4, beta_1=0.5)", "Adam(2e-4)"),
        ('critic_normalization = "batch"', 'critic_normalization = "none"'),
        ("weight_clip=0.0", "weight_clip=0.01"),
        ("critic_optimizer or self.default_optimizer()", "self.generator_optimizer"),
    ),
    *of_file(
        "trainers/gan.py",
        f"{PENALTIES} {NOISE} -k 'they or losses'",
        ("loss += penalty", "loss -= penalty"),
        (
            "loss = self.compute_critic_loss(real, fake, noise)",
            'loss = self.compute_critic_loss(real, self.seen(fake, "fake", noise), noise)',
        ),
        (
            'real, fake = self.seen(real, "real", noise), self.seen(fake, "fake", noise)\n'
            "        loss = self.compute_critic_loss(real, fake, noise)",
            'loss = self.compute_critic_loss(self.seen(real, "real", noise), self.seen(fake, "fake", noise), noise)',
        ),
        ("self.instance_noise(x, kind, noise", "self.instance_noise(x, 'real', noise"),
        (
            'real, fake = self.seen(real, "real", noise), self.seen(fake, "fake", noise)\n        return',
            "return",
        ),
    ),
    *of_file(
        "trainers/gan.py",
        f"{GAN} -k noise_is",
        (".fold_in(self.rollbacks.value)", ""),
        (".fold_in(draw)", ""),
    ),
    *of_file(
        "trainers/gan.py",
        f"{GAN} -k 'moving_average or averaging'",
        ("tf.minimum(tf.constant(self.ema_decay", "tf.maximum(tf.constant(self.ema_decay"),
        ("(1.0 + steps) / (10.0 + steps)", "(1.0 + steps) / (1.0 + steps)"),
        ("tf.cast(1.0 - keep", "tf.cast(keep"),
        (
            "return self.averaged_generator if self.ema_decay else",
            "return self.averaged_generator if self.generator else",
        ),
    ),
    *of_file("trainers/gan.py", f"{GAN} -k finite", ("with tf.control_dependencies(batches):", "if True:")),
    *of_file("trainers/gan.py", f"{GAN} -k labels", ("return batch[0] if", "return batch[1] if")),
    *of_file(
        "trainers/gan.py",
        f"{GAN} -k steps_per_execution_changes",
        ("(count < self.steps_per_execution)", "(count <= self.steps_per_execution)"),
        (" & (self.step.value < self.last_step)", ""),
    ),
    *of_file(
        "trainers/gan.py",
        f"{GAN} -k means_over",
        ('strategy.reduce("MEAN"', 'strategy.reduce("SUM"'),
        ("all_reduce(tf.distribute.ReduceOp.MEAN, gradients)", "all_reduce(tf.distribute.ReduceOp.SUM, gradients)"),
    ),
    *of_file(
        "trainers/gan.py",
        f"{TRAINING} -k 'nonfinite_step'",
        ("return finite & ", "return "),
    ),
    *of_file(
        "trainers/gan.py",
        f"{EVERY} -k 'both_players_move and least_squares'",
        ("self.critic_optimizer.apply(gradients, self.critic.trainable_variables)", "pass"),
        ("self.generator_optimizer.apply(gradients, self.generator.trainable_variables)", "pass"),
        ("self._average_generator()\n            self", "self"),
        ("self.step.assign_add(1)", "self.step.assign_add(2)"),
    ),
    *of_file("trainers/gan.py", f"{OBJECTIVES} -k bounds_every", ("self.constrain_critic()\n", "\n")),
]
