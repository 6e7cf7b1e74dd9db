"""Completes a config: every option that it leaves open gets the value of its method's paper.

The classes declare options, defaults and allowed values, see `zoo.options`. Loading them imports TensorFlow.
"""

from trainers import dynamics, objectives, optimizers, techniques
from zoo import families, options
from zoo.errors import RequestError


def resolve(config):
    """A copy of `config` with all options of the objective, dynamics, techniques, networks and optimizers.

    Args:
        config: ml_collections.ConfigDict, checked by `trainers.config.check`. A completed one comes back equal.

    Raises:
        RequestError: an option that a method does not take, or a value that is not allowed; or an objective that needs
            another network family.
    """
    resolved, objective = config.copy_and_resolve_references(), objectives.METHODS.load(config.objective)
    of_objective, of_dynamics = dict(config.objective_options), dict(objective.default_dynamics_options)
    of_dynamics.update({option: value for option, value in config.dynamics_options.items() if value is not None})
    resolved.objective_options = objectives.METHODS.resolve(config.objective, of_objective, "config.objective_options")
    resolved.dynamics_options = dynamics.METHODS.resolve(config.dynamics, of_dynamics, "config.dynamics_options")
    resolved.techniques = techniques.resolve(config.techniques)
    for player in ("generator", "critic"):
        # Checked even where the objective has no such player: a mistake is one in any case.
        complete = _optimizer(config, f"{player}_optimizer", objective)
        if player in objective.optimized:
            resolved[f"{player}_optimizer"] = complete
    with resolved.ignore_type():
        # Configs of former releases lack it.
        resolved.init_from = config.get("init_from")
    resolved.generator = _network(config.generator, "generator")
    resolved.critic = _critic(config, objective)
    if config.encoder or "encoder" in objective.configured:
        resolved.encoder = _encoder(config)
    return resolved


def _optimizer(config, key, objective):
    default = dict(objective.default_optimizer)
    given = {option: value for option, value in config[key].items() if value is not None}
    complete = given if given.get("name") else {**default, **given, "name": default["name"]}
    optimizers.check(complete, f"config.{key}")
    return complete


def _network(network, player):
    """A network's family, and all options of its class."""
    given = dict(network)
    family = given.pop("family")
    if given.get("normalization") == "auto":
        given["normalization"] = None
    known = options.declared(_network_class(player, family))
    return {"family": family, **options.resolve(known, given, f"config.{player}", family)}


def _critic(config, objective):
    resolved = _network(config.critic, "critic")
    # Multilayer perceptrons on points are trained without; for images the objective's paper decides, or the family.
    images = families.FAMILIES[resolved["family"]].images_only and "normalization" in resolved
    if "critic" in objective.configured and images and config.critic.get("normalization") in (None, "auto"):
        resolved["normalization"] = objective.critic_normalization or resolved["normalization"]
        used = techniques.read(config.techniques, config.train.steps)
        if resolved["normalization"] == "batch" and any(part.penalises_gradients for part in used):
            resolved["normalization"] = "layer"
    if "output_dim" in resolved and config.critic.get("output_dim") is None:
        resolved["output_dim"] = getattr(objective, "critic_output_dim", 1)
    if resolved.get("minibatch_discrimination") and config.train.batch_size == 1:
        raise RequestError(
            "config.train.batch_size: 1; config.critic.minibatch_discrimination compares the examples of a batch, use 2"
        )
    return resolved


def _encoder(config):
    """An encoder of a family of its own, or of the critic's with what its key changes."""
    if "family" in config.encoder:
        return _network(config.encoder, "encoder")
    given = {**config.critic, **config.encoder}
    if given["family"] not in families.names("encoder"):
        *first, last = families.names("encoder")
        use = f"{', '.join(first)} or {last}"
        raise RequestError(f"config.critic.family: {given['family']!r}; {config.objective} needs an encoder, use {use}")
    return _network(given, "encoder")


def _network_class(player, family):
    if family not in families.names(player):
        known = ", ".join(families.names(player))
        raise RequestError(f"config.{player}.family: {family!r}; expected one of {known}")
    row = families.FAMILIES[family]
    return row.generator_class() if player == "generator" else row.critic_class()


def _of_method(table):
    return lambda name: options.declared(table.load(name)) if name in table.names() else ()


def _of_network(player):
    return lambda name: options.declared(_network_class(player, name)) if name in families.names(player) else ()


#: Keys whose value decides which options another key may hold: key → (that other key, value → names of the options).
_CHOICES = {
    "objective": ("objective_options", _of_method(objectives.METHODS)),
    "dynamics": ("dynamics_options", _of_method(dynamics.METHODS)),
    "generator.family": ("generator", _of_network("generator")),
    "critic.family": ("critic", _of_network("critic")),
    "generator_optimizer.name": ("generator_optimizer", optimizers.options_of),
    "critic_optimizer.name": ("critic_optimizer", optimizers.options_of),
}


def drop_former_options(config, flags_given):
    """Drops a config file's options of a choice that a flag replaced by one that does not take them.

    For example, --config.critic_optimizer.name=sgd drops the `beta_1` that the file sets for Adam. Options that flags
    set stay, to be checked like all others, and so do those that the new choice takes.

    Args:
        config: ml_collections.ConfigDict, changed in place.
        flags_given: keys that flags set, as "critic_optimizer.name".
    """
    for choice, (group, options_of) in _CHOICES.items():
        if choice not in flags_given:
            continue
        key, _, last = choice.partition(".")
        known = options_of(config[key][last] if last else config[key])
        # An unknown name has no options; `resolve` refuses it.
        for name in [name for name in config[group] if known and name not in known]:
            full = f"{group}.{name}"
            if full != choice and full not in flags_given:
                del config[group][name]
