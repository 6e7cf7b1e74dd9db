"""Upgrades configs of former releases, from the files of workdirs and model cards, to the current schema."""

import copy

#: Version of the config in `config.json` and in model cards: incremented when a key changes its meaning or is removed.
SCHEMA_VERSION = 3

#: Keys of former releases, which flags and config files may still set → the keys that replace them.
MOVED = {
    "instance_noise": "techniques.instance_noise",
    "weight_clip": "techniques.weight_clipping.bound",
    "penalties": "techniques.gradient_norm or techniques.zero_centred",
}


def upgrade(config, version):
    """Converts a config of an earlier schema version to the current one.

    Args:
        config: nested dict, as read from JSON; not modified.
        version: its schema version, 1 if its file has none.

    Returns:
        The config of the same run, a nested dict of version `SCHEMA_VERSION`.

    Raises:
        ValueError: its version is later than this release's.
    """
    if version > SCHEMA_VERSION:
        raise ValueError(f"schema_version {version}; this release reads up to {SCHEMA_VERSION}")
    config = copy.deepcopy(config)
    if version == 1:
        config = _from_1(config)
    if version <= 2:
        config = _from_2(config)
    # Runs of before this key were not diagnosed while they trained.
    config.get("train", {}).setdefault("diagnose_every", 0)
    return config


def _from_1(config):
    # Version 1 had a key for each kind of technique; its first configs lack some, which means off.
    techniques = {"instance_noise": {}, "weight_clipping": {}, "gradient_norm": {}, "zero_centred": {}}
    noise = config.pop("instance_noise", {})
    if noise.get("std"):
        techniques["instance_noise"] = noise
    bound = config.pop("weight_clip", 0.0)
    if bound:
        techniques["weight_clipping"] = {"bound": bound}
    for index, penalty in enumerate(config.pop("penalties", ())):
        # Without options it was on, with its paper's values; in the current schema it would be off.
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
    # Version 2 had neither conditional networks nor options of encoders.
    return {**config, "conditional": {"critic": "none", "embedding_dim": 64}, "encoder": {}}
