"""From a config to networks, fresh ones with untrained weights. Free of TensorFlow until it makes them."""

from trainers import techniques
from zoo import families
from zoo.errors import RequestError


def make(config, spec, objective):
    """The networks that `config` describes for its objective.

    Args:
        config: ml_collections.ConfigDict, see configs/base.py.
        spec: `zoo.datasets.DataSpec` of the data.
        objective: the objective's class.

    Returns:
        List of Keras models, in the order of `objective.configured`.

    Raises:
        RequestError: options that a network does not take, or a family that the objective cannot play with.
    """
    made = {"generator": _composed(config, "generator", spec, *_family(config.generator))}
    if "critic" in objective.configured:
        made["critic"] = _composed(config, "critic", spec, *_critic(config, objective))
    if "encoder" in objective.configured:
        made["encoder"] = _encoder(config, spec, objective.codes_per_latent * made["generator"].latent_dim)
    return [made[name] for name in objective.configured]


def _family(network):
    options = dict(network)
    return options.pop("family"), options


def _critic(config, objective):
    """(family, options) of the critic."""
    name, options = _family(config.critic)
    if objective.critic_families and name not in objective.critic_families:
        use = " or ".join(objective.critic_families)
        raise RequestError(f"config.critic.family: {name!r}; {config.objective} needs {use}")
    if options.get("normalization", "auto") == "auto":
        # Multilayer perceptrons on points are trained without; for images the objective's paper decides.
        images = families.FAMILIES[name].images_only
        options["normalization"] = objective.critic_normalization if images else "none"
        used = techniques.read(config.techniques, config.train.steps)
        if options["normalization"] == "batch" and any(part.penalises_gradients for part in used):
            options["normalization"] = "layer"
    return name, options


def _encoder(config, spec, code_dim):
    """An encoder of a family of its own, or of the critic's with what its key changes."""
    from zoo.encoder import Encoder

    name, options = _family(config.encoder if "family" in config.encoder else {**config.critic, **config.encoder})
    if name not in families.names("encoder"):
        use = " or ".join(families.names("encoder"))
        raise RequestError(f"config.critic.family: {name!r}; {config.objective} needs an encoder, use {use}")
    if options.get("normalization", "auto") == "auto":
        options["normalization"] = "batch" if families.FAMILIES[name].images_only else "none"
    return _made(config, "encoder", Encoder, spec, {"code_dim": code_dim, "family": name, "network": options})


def _composed(config, player, spec, name, options):
    """A player's network: of its family alone, or as what mixes several or is told labels."""
    generates = player == "generator"
    if config.mixture.components > 1:
        from zoo import mixture

        network = mixture.MixtureGenerator if generates else mixture.MixtureCritic
        given = {"components": config.mixture.components, "shared_layers": config.mixture.shared_layers}
        options = {"family": name, "network": options, **given}
    elif config.conditional.critic != "none":
        from zoo import conditional

        network = conditional.ConditionalGenerator if generates else conditional.ConditionalCritic
        given = {"num_classes": spec.num_classes, "embedding_dim": config.conditional.embedding_dim}
        told = {} if generates else {"told_by": config.conditional.critic}
        options = {"family": name, "network": options, **given, **told}
    else:
        family = families.FAMILIES[name]
        network = family.generator_class() if generates else family.critic_class()
    return _made(config, player, network, spec, options)


def _made(config, player, network, spec, options):
    try:
        return network(spec.data_shape, dtype=config.train.precision, **options)
    except RequestError:
        raise
    except (TypeError, ValueError) as error:
        raise RequestError(f"config.{player}: {network.__name__} does not take {options}: {error}") from error
