"""Modules without initial values."""

from typing import Any

import autodiff as ad
from nn.module import Module


def skip_init(module_cls: type[Module], *args: Any, **kwargs: Any) -> Module:
    """A module whose values are about to be loaded: made for ``module_cls(*args, **kwargs)``, drawing nothing.

    The random generator is left as it was; the values are not to be relied upon.

    >>> import autodiff as ad, nn
    >>> _ = ad.manual_seed(0)
    >>> layer, after = nn.utils.skip_init(nn.Linear, 2, 3), ad.rand(1)
    >>> _ = ad.manual_seed(0)
    >>> bool(after == ad.rand(1))
    True
    """
    if not (isinstance(module_cls, type) and issubclass(module_cls, Module)):
        raise RuntimeError(f"skip_init expected a subclass of nn.Module, got {module_cls!r}")
    state = ad.get_rng_state()
    try:
        return module_cls(*args, **kwargs)
    finally:
        ad.set_rng_state(state)
