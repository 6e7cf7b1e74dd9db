"""Mistakes in class-conditional networks, GANs and SavedModels."""

from mutants.mutant import of_file

NETWORKS = "tests/zoo/test_conditional_networks.py"
GANS = "tests/trainers/test_conditional.py"
EXPORT = "tests/export/test_signatures.py"

MUTANTS = [
    *of_file(
        "zoo/conditional.py",
        NETWORKS,
        ("super().__init__(autocast=False, **kwargs)", "super().__init__(**kwargs)"),
        ("latent_dim + embedding_dim}", "latent_dim}"),
        ("RandomNormal(0.0, embedding_dim**-0.5)", "RandomNormal(0.0, 1.0)"),
        ("self.latent_dim = 1 + latent_dim", "self.latent_dim = latent_dim"),
        ("keras.initializers.Constant(1.0 / num_classes)", '"ones"'),
        ("self.label_shares.assign(np.asarray(shares))", "pass"),
        ("choose(latents[:, 0], ", "choose(latents[:, 1], "),
        ("tf.math.log(tf.convert_to_tensor(self.label_shares))", "tf.convert_to_tensor(self.label_shares)"),
        ("self.labels(latents) if label is None else label", "self.labels(latents)"),
        ("tf.cast(latents[:, 1:], embedded.dtype)", "tf.cast(latents[:, :-1], embedded.dtype)"),
        ("[linear(scores, self.normalization)]", "[scores]"),
        ("scores += tf.reduce_sum", "scores -= tf.reduce_sum"),
        ("of_classes * self._one_hot(label)", "of_classes"),
        ("(1 if len(shape) == 3 else embedding_dim)", "embedding_dim"),
        ("if len(self.data_shape) == 1 else int(np.prod(self.data_shape[:-1]))", ""),
        ("[tf.cast(x, embedded.dtype), embedded]", "[tf.cast(x, embedded.dtype), 0.0 * embedded]"),
        ('if self.normalization == "virtual_batch":', "if False:"),
        ("if told_by not in CONDITIONAL_CRITICS:", "if False:"),
        ('**super().get_config(), "told_by": self.told_by', "**super().get_config()"),
    ),
    *of_file("zoo/encoder.py", NETWORKS, ('getattr(critic, "inner", critic)', "critic")),
    *of_file("zoo/encoder.py", NETWORKS, ("return cls(critic.data_shape,", "return cls(inner.data_shape,")),
    *of_file(
        "trainers/build.py",
        f"{GANS} -k 'labels_are_chosen or refused'",
        ("generator.adapt(data)", "pass"),
        ('for trait in ("critic", "conditional"):', 'for trait in ("conditional",):'),
        ('for trait in ("critic", "conditional"):', 'for trait in ("critic",):'),
        (
            'raise RequestError(f"{where}; the networks of a mixture',
            'RequestError(f"{where}; the networks of a mixture',
        ),
    ),
    *of_file(
        "trainers/networks.py",
        f"{GANS} -k 'class_that_was_asked or refused'",
        ('{"told_by": config.conditional.critic}', "{}"),
        ('elif config.conditional.critic != "none":', "elif False:"),
    ),
    *of_file(
        "trainers/config.py",
        f"{GANS} -k refused",
        ('if config.conditional.critic != "none" and data.num_classes is None:', "if False:"),
        ('one_of("none", *families.CONDITIONAL_CRITICS)', "TEXT"),
    ),
    *of_file(
        "trainers/workdir.py",
        f"{GANS} -k labels_are_chosen",
        ("        **spec._asdict(),\n", '        "data_shape": list(spec.data_shape),\n'),
    ),
    *of_file(
        "zoo/datasets/dataset.py",
        f"{GANS} -k labels_are_chosen",
        ("for name in cls._fields}}", "for name in cls._fields[1:3]}}"),
        ("tuple(value) if isinstance(value, list) else value", "value"),
    ),
    *of_file(
        "zoo/datasets/arrays.py",
        f"{GANS} -k labels_are_chosen",
        ('self._tensors("train")\n        return', 'self._tensors("test")\n        return'),
    ),
    *of_file(
        "export/signatures.py",
        EXPORT,
        ("tf.equal(*rows)", "True"),
        ("(labels < 0) | (labels > most)", "labels > most"),
        ("(labels < 0) | (labels > most)", "labels < 0"),
        ("sampler.num_classes - 1", "sampler.num_classes"),
        (
            '"latents": latents_of(seeds) if latents is None else latents, **conditions}',
            '"latents": latents_of(seeds) if latents is None else latents}',
        ),
        ("sampler(latents, training=False, **conditions)", "sampler(latents, training=False)"),
        ("generate(latents, **told(labels, latents))", "generate(latents)"),
        ("encode(draw(seeds, **told(labels, seeds)))", "encode(draw(seeds))"),
    ),
]
