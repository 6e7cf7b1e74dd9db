"""Mistakes in InfoGAN: its codes, their part of the losses, and what a report and a server make of them."""

from mutants.mutant import of_file

OF_CODES, OF_REPORT = "tests/zoo/test_codes.py", "tests/export/evaluation/test_latent_codes.py"

MUTANTS = [
    *of_file(
        "trainers/objectives/info.py",
        "tests/trainers/objectives/test_info.py",
        (
            "self.critic_loss(score(self.critic, real), fake_scores) - weighted",
            "self.critic_loss(score(self.critic, real), fake_scores)",
        ),
        ("return self.generator_loss(fake_scores) - weighted", "return self.generator_loss(fake_scores) + weighted"),
        ("self.categorical_weight * categorical + self", "categorical + self"),
        ("self.continuous_weight * continuous", "continuous"),
        ('Player("critic", self.critic, self.recognition,', 'Player("critic", self.critic,'),
        ("self.continuous * (2 if self.scale is None else 1)", "self.continuous * 2"),
        ('self.add_network("recognition", Encoder', 'setattr(self, "recognition", Encoder'),
        ("default=0) > classes", "default=0) >= classes"),
        ('max(codes["categories"], default=0)', 'sum(codes["categories"])'),
        ("if classes and max", "if classes and min"),
    ),
    *of_file(
        "trainers/objectives/info.py",
        "tests/trainers/test_defaults.py -k info",
        ("categories = Option((10,)", "categories = Option((9,)"),
        ("continuous = Option(2,", "continuous = Option(1,"),
        ("categorical_weight = Option(1.0", "categorical_weight = Option(0.1"),
        ("continuous_weight = Option(1.0", "continuous_weight = Option(0.1"),
        ("hidden_units = Option((128,)", "hidden_units = Option((64,)"),
    ),
    *of_file(
        "zoo/codes.py",
        f"{OF_CODES} tests/trainers/objectives/test_info.py",
        ("math.log(size) - cross_entropy", "math.log(size) + cross_entropy"),
        ("- log_scales - 0.5 * math.log(2.0 * math.pi)", "+ log_scales - 0.5 * math.log(2.0 * math.pi)"),
        ("- log_scales - 0.5 * math.log(2.0 * math.pi)", "- log_scales"),
        ("math.log(2.0) + log_densities", "log_densities"),
        ("tf.fill(tf.shape(means), tf.constant(math.log(scale)", "tf.fill(tf.shape(means), tf.constant(scale"),
        ("tf.abs(normals) / math.sqrt(2.0)", "tf.abs(normals)"),
        ("self.latent_dim = len(self.categories) + continuous + noise", "self.latent_dim = continuous + noise"),
        ("level = (value + 0.5) / self", "level = (value + 0.9) / self"),
        ("level = (value + 1.0) / 2.0", "level = (value + 1.0) / 4.0"),
        ("latents[:, code + 1 :]], axis=1)", "latents[:, code + 1 :] * 0.0], axis=1)"),
    ),
    *of_file(
        "export/evaluation/codes.py",
        OF_REPORT,
        ("chosen[:, code : code + 1], values[:, :0], (size,)", "chosen[:, :1], values[:, :0], (size,)"),
        ("logits = posterior[:, ends[code] : ends[code + 1]]", "logits = posterior[:, :size]"),
        (
            "if scale else [ends[-1] + code, ends[-1] + continuous + code]",
            "if scale else [ends[-1] + code, ends[-1] + code]",
        ),
        ("values[:, code : code + 1], (), scale)", "values[:, :1], (), scale)"),
        ("[math.log(2.0)] * generator.continuous", "[math.log(3.0)] * generator.continuous"),
        ("sampler.latents_with(latents, code, values)", "sampler.latents_with(latents, 0, values)"),
        ("linear_sum_assignment(-counts)", "linear_sum_assignment(counts)"),
        ("assigned[codes] = classes", "assigned[classes] = codes"),
        ("[: len(context.run.model.sampler.categories)], axis=0)", "[:], axis=0)"),
        ('"sampler", None), CodedGenerator)', '"sampler", None), object)'),
    ),
    *of_file(
        "export/signatures.py",
        f"{OF_REPORT} -k inputs",
        ("sampler.latents_with(latents, code, categorical[:, code])", "latents"),
        (
            "latents_with(latents, len(sizes) + code, continuous[:, code])",
            "latents_with(latents, code, continuous[:, code])",
        ),
        ("(categorical[:, code] >= size)", "(categorical[:, code] > 2 * size)"),
        ("~(tf.abs(continuous) < 1.0)", "tf.abs(continuous) > 1.0"),
        ("latents_of(seeds) if latents is None else latents", "latents_of(seeds)"),
        ("tf.equal(rows, count), [f", "rows > 0, [f"),
    ),
    *of_file(
        "trainers/networks.py",
        "tests/trainers/objectives/test_info.py -k at_most",
        ("config.objective_options, spec)}", "config.objective_options)}"),
    ),
    *of_file(
        "export/evaluation/metric.py",
        OF_REPORT,
        ("if self.of_real else None", ""),
    ),
]
