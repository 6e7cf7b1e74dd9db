"""Configs of former releases, in the files of workdirs and model cards, as of the current one."""

import copy

#: Version of the config in `config.json` and in model cards: raised when a key of it changes its meaning or goes.
SCHEMA_VERSION = 3

#: Keys of former releases, as flags and config files may still set them, and where they went.
MOVED = {
    "instance_noise": "techniques.instance_noise",
    "weight_clip": "techniques.weight_clipping.bound",
    "penalties": "techniques.gradient_norm or techniques.zero_centred",
}


def upgrade(config, version):
    """A config of an earlier schema version in the current one.

    Args:
        config: nested dict, as read from JSON; it is not changed.
        version: its schema version, 1 where its file does not say.

    Returns:
        The same run as a nested dict of version `SCHEMA_VERSION`.

    Raises:
        ValueError: it is of a later version than this release knows.
    """
    if version > SCHEMA_VERSION:
        raise ValueError(f"schema_version {version}; this release reads up to {SCHEMA_VERSION}")
    config = copy.deepcopy(config)
    if version == 1:
        config = _from_1(config)
    return _from_2(config) if version <= 2 else config


def _from_1(config):
    # Version 1 had a key for each kind of technique; its first configs lacked some, which then were off.
    techniques = {"instance_noise": {}, "weight_clipping": {}, "gradient_norm": {}, "zero_centred": {}}
    noise = config.pop("instance_noise", {})
    if noise.get("std"):
        techniques["instance_noise"] = noise
    bound = config.pop("weight_clip", 0.0)
    if bound:
        techniques["weight_clipping"] = {"bound": bound}
    for index, penalty in enumerate(config.pop("penalties", ())):
        # Without options it was on, with those of its paper; now it would be off.
        options = {"weight": None, **penalty}
        name = options.pop("name")
        if techniques[name]:
            techniques[f"{name}_{index}"] = {"name": name, **options}
        else:
            techniques[name] = options
    config["techniques"] = techniques
    config.setdefault("mixture", {"components": 1, "entropy_weight": 0.1, "shared_layers": 0})
    return config


def _from_2(config):
    # Version 2 had neither networks that are told labels nor encoders of their own.
    return {**config, "conditional": {"critic": "none", "embedding_dim": 64}, "encoder": {}}
