"""Mistakes in the model, its players, the game of two and the batches that pass between them."""

from mutants.mutant import of_file

OF_OBJECTIVES = "tests/trainers/objectives"
OBJECTIVES = "tests/trainers/test_objectives.py"
DEFAULTS = "tests/trainers/test_defaults.py"
MODES = "tests/trainers/test_training_mode.py"
GAN = "tests/trainers/test_gan.py"
MODEL = "tests/trainers/test_model.py"
PENALTIES = "tests/trainers/techniques/test_penalties.py"
PROTOCOL = "tests/trainers/techniques/test_protocol.py"
NOISE = "tests/trainers/techniques/test_instance_noise.py"
COMPOSE = "tests/trainers/techniques/test_techniques_compose.py"
EVERY = "tests/trainers/test_every_objective.py"
EVERY_DYNAMICS = "tests/trainers/dynamics/test_every_dynamics.py"
TRAINING = "tests/trainers/test_training.py"
CHECKPOINTS = "tests/trainers/test_checkpoints.py"
MIXTURE = "tests/trainers/test_mixture.py"

MUTANTS = [
    *of_file("trainers/players.py", MODES, ("critic(batch.x, training=True, ", "critic(batch.x, ")),
    *of_file(
        "trainers/gan.py",
        MODES,
        ("score(self.critic, real), score(self.critic, fake)", "self.critic(real.x), score(self.critic, fake)"),
        ("score(self.critic, real), score(self.critic, fake)", "score(self.critic, real), self.critic(fake.x)"),
        ("self.generator_loss(score(self.critic, fake))", "self.generator_loss(self.critic(fake.x))"),
    ),
    *of_file(
        "trainers/model.py",
        MODES,
        ("self.generator(latents, training=True, ", "self.generator(latents, "),
        ("self.latents(seeds), training=False, **conditions)", "self.latents(seeds), training=True, **conditions)"),
        ("return self.sampler(latents, training=training)", "return self.sampler(latents, training=True)"),
    ),
    *of_file(
        "trainers/model.py",
        DEFAULTS,
        ("ema_decay=0.999", "ema_decay=0.99"),
        ('"learning_rate": 2e-4', '"learning_rate": 1e-3'),
        ('"beta_1": 0.5', '"beta_1": 0.9'),
        ('"critic_steps": 1}', '"critic_steps": 2}'),
        (
            "given[player.name] = make_optimizer(self.default_optimizer)",
            "given[player.name] = next(iter(given.values()), make_optimizer(self.default_optimizer))",
        ),
    ),
    *of_file(
        "trainers/gan.py",
        DEFAULTS,
        ("critic_normalization = None", 'critic_normalization = "none"'),
        ("Alternating(**self.default_dynamics_options)", "Alternating()"),
    ),
    *of_file(
        "trainers/model.py",
        f"{OF_OBJECTIVES}/test_mode_regularized.py -k of_its_own",
        ("keras.optimizers.deserialize(keras.optimizers.serialize(given[player.like]))", "given[player.like]"),
        (
            "keras.optimizers.deserialize(keras.optimizers.serialize(given[player.like]))",
            "make_optimizer(self.default_optimizer)",
        ),
    ),
    *of_file(
        "trainers/model.py",
        f"{OF_OBJECTIVES}/test_noise_contrastive.py -k only_player",
        ("if unknown := given.keys() - self.players.keys():", "if unknown := set():"),
    ),
    *of_file(
        "trainers/gan.py",
        f"{PENALTIES} {NOISE} -k 'they or losses'",
        ("loss += penalty", "loss -= penalty"),
        (
            "loss = self.compute_critic_loss(real, fake, noise)",
            'loss = self.compute_critic_loss(real, self.view(fake, "fake", noise), noise)',
        ),
        (
            'real, fake = self.view(real, "real", noise), self.view(fake, "fake", noise)\n'
            "        loss = self.compute_critic_loss(real, fake, noise)",
            'loss = self.compute_critic_loss(self.view(real, "real", noise), self.view(fake, "fake", noise), noise)',
        ),
        ("technique.view(batch, kind, noise", "technique.view(batch, 'real', noise"),
        (
            'real, fake = self.view(real, "real", noise), self.view(fake, "fake", noise)\n        return',
            "return",
        ),
    ),
    *of_file(
        "trainers/model.py",
        f"{GAN} -k noise_is",
        (".fold_in(self.rollbacks.value)", ""),
        (".fold_in(draw)", ""),
    ),
    *of_file(
        "trainers/model.py",
        f"{GAN} -k 'moving_average or averaging'",
        ("tf.minimum(tf.constant(self.ema_decay", "tf.maximum(tf.constant(self.ema_decay"),
        ("(1.0 + steps) / (10.0 + steps)", "(1.0 + steps) / (1.0 + steps)"),
        ("tf.cast(1.0 - keep", "tf.cast(keep"),
        (
            "return self.averaged_generator if self.ema_decay else",
            "return self.averaged_generator if self.generator else",
        ),
    ),
    *of_file(
        "trainers/model.py",
        f"{GAN} -k finite",
        ("with tf.control_dependencies(tf.nest.flatten([batch.x for batch in batches])):", "if True:"),
    ),
    *of_file("zoo/batch.py", f"{MODEL} -k told_the_conditions", ("x, label = element", "label, x = element")),
    *of_file(
        "zoo/batch.py",
        MODEL,
        ('cls(x, {"label": label})', "cls(x)"),
        ("        if isinstance(element, cls):\n            return element\n", ""),
    ),
    *of_file(
        "zoo/batch.py",
        f"{EVERY} -k 'every_network_moves and manifold'",
        (
            "tf.stop_gradient(self.x)",
            "self.x",
            "what is made constant enters losses of which only the critic's weights are differentiated",
        ),
    ),
    *of_file(
        "trainers/model.py",
        f"{GAN} -k labels",
        ("conditions={name: conditions[name] for name in names}", "conditions=conditions"),
    ),
    *of_file(
        "trainers/model.py",
        MODEL,
        ("if missing := [name for name in names if name not in conditions]:", "if missing := []:"),
        (
            "self.generator(latents, training=True, **conditions), dict(conditions)",
            "self.generator(latents, training=True, **conditions), {}",
        ),
        ("self.generator(latents, training=True, **conditions)", "self.generator(latents, training=True)"),
    ),
    *of_file("trainers/players.py", MODEL, ("training=True, **batch.conditions)", "training=True)")),
    *of_file(
        "trainers/model.py",
        f"{EVERY} -k 'every_network_moves and wasserstein_gp'",
        ("x = tf.cast(batch.x, self.generator.variable_dtype)", "x = batch.x"),
    ),
    *of_file(
        "trainers/model.py",
        f"{GAN} -k steps_per_execution_changes",
        ("(count < self.steps_per_execution)", "(count <= self.steps_per_execution)"),
        (" & (self.step.value < self.last_step)", ""),
    ),
    *of_file("trainers/model.py", f"{GAN} -k means_over", ('strategy.reduce("MEAN"', 'strategy.reduce("SUM"')),
    *of_file(
        "zoo/replicas.py",
        f"{GAN} -k means_over",
        ("tf.distribute.ReduceOp.MEAN, values", "tf.distribute.ReduceOp.SUM, values"),
    ),
    *of_file(
        "trainers/model.py",
        f"{TRAINING} -k 'nonfinite_step'",
        ("return finite & ", "return "),
    ),
    *of_file(
        "trainers/model.py",
        f"{EVERY} -k 'every_network_moves and least_squares'",
        ("self._average_generator()\n            self", "self"),
        ("self.step.assign_add(1)", "self.step.assign_add(2)"),
    ),
    *of_file(
        "trainers/players.py",
        f"{EVERY} -k 'every_network_moves and least_squares'",
        ("self.optimizer.apply(gradients, variables)", "pass"),
    ),
    *of_file(
        "trainers/players.py",
        f"{OF_OBJECTIVES}/test_mode_regularized.py -k of_its_own",
        ("        self.update(gradients)\n        return", "        return"),
    ),
    *of_file(
        "trainers/gan.py", f"{OBJECTIVES} -k bounds_every", ("self.critic, constrain=self.constrain)", "self.critic)")
    ),
    *of_file(
        "trainers/players.py",
        f"{OBJECTIVES} {MIXTURE} -k 'bounds_every or (composes and alternating)'",
        ("        if self.constrain is None:\n            return\n", "        return\n"),
        ("if projected[index] is not value]", "if projected[index] is value]"),
        ("zip(variables, values)]", "zip(variables[::-1], values)]"),
        ("if projected[index] is not value]", "]", "a weight that is not constrained is assigned its own value"),
    ),
    *of_file(
        "trainers/gan.py",
        f"{COMPOSE} -k 'tighter or box'",
        ("value = technique.constrain(value)", "technique.constrain(value)"),
        ("value = technique.constrain(value)", "return technique.constrain(value)"),
    ),
    *of_file(
        "trainers/gan.py", f"{MIXTURE} -k 'composes and alternating'", ("if self.is_constrained(variable):", "if True:")
    ),
    *of_file(
        "trainers/gan.py",
        f"{OF_OBJECTIVES}/test_manifold_diffusion.py -k wrong_requests",
        ("if trait in gan.lacks:", "if False:"),
    ),
    *of_file(
        "trainers/model.py",
        f"{CHECKPOINTS} -k saved_is_restored",
        ("return {**self.networks, **optimizers, **kept}", "return {**self.networks, **kept}"),
        (
            'kept = {"averaged_generator": self.averaged_generator, "step": self.step, "rollbacks": self.rollbacks}',
            'kept = {"averaged_generator": self.averaged_generator, "step": self.step}',
        ),
        (
            'kept = {"averaged_generator": self.averaged_generator, "step": self.step, "rollbacks": self.rollbacks}',
            'kept = {"step": self.step, "rollbacks": self.rollbacks}',
        ),
    ),
    # An optimizer refers to the trainable weights; moving statistics are in the networks only.
    *of_file(
        "trainers/model.py",
        f"{TRAINING} -k everything",
        ("return {**self.networks, **optimizers, **kept}", "return {**optimizers, **kept}"),
    ),
    *of_file(
        "trainers/gan.py",
        f"{EVERY_DYNAMICS} -k 'checkpoint_holds and historical_averaging'",
        (', "dynamics": self.dynamics}', "}"),
    ),
    *of_file(
        "trainers/gan.py",
        PROTOCOL,
        ("**super().state(), **self._of_techniques", "**super().state()"),
        ("        self._observe(batches[-1], self.noise(tf.shape(batches[-1].x)[0], len(batches) - 1))\n", ""),
        ("batch = technique.view(", "technique.view("),
    ),
    *of_file(
        "trainers/gan.py",
        f"{MODEL} -k observes",
        ("self._observe(batches[-1], ", "self._observe(batches[0], "),
        ("batches[-1].x)[0], len(batches) - 1))", "batches[-1].x)[0]))"),
        (
            'score(self.critic, self.view(real, "real", noise))',
            "score(self.critic, real)",
        ),
    ),
]
