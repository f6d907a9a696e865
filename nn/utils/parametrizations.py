"""Ready-made parametrizations: weights split into length and direction, of bounded norm, or orthogonal."""

from typing import Any

import numpy as np

import autodiff as ad
from autodiff.tensor import Tensor
from nn.conv import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from nn.functional import normalize
from nn.module import Module
from nn.utils.parametrize import register_parametrization


def norm_except_dim(v: Tensor, dim: int) -> Tensor:
    """The Euclidean norms over all dimensions but `dim`, which are kept; over all for -1."""
    if dim == -1:
        return ad.linalg.vector_norm(v)
    others = tuple(i for i in range(v.ndim) if i != dim)
    return ad.linalg.vector_norm(v, dim=others, keepdim=True) if others else v.abs()


class _WeightNorm(Module):
    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return weight_v * (weight_g / norm_except_dim(weight_v, self.dim))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return norm_except_dim(weight, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Train a weight as g v / ‖v‖: its lengths, one for each index of `dim` or one alone for None, and its direction.

    The state has ``parametrizations.<name>.original0`` for g and ``original1`` for v; one with the older
    ``<name>_g`` and ``<name>_v`` can be loaded. (Salimans and Kingma 2016)

    >>> import nn
    >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(2, 3))
    >>> layer.parametrizations.weight.original0.shape
    (3, 1)
    """
    register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def rename(state: dict[str, Any], prefix: str, *others: Any) -> None:
        if f"{prefix}{name}_g" in state and f"{prefix}{name}_v" in state:
            for i, old in enumerate("gv"):
                state[f"{prefix}parametrizations.{name}.original{i}"] = state.pop(f"{prefix}{name}_{old}")

    module._register_load_state_dict_pre_hook(rename)
    return module


def as_matrix(weight: Tensor, dim: int) -> Tensor:
    """The weight as a matrix whose rows are the indices of `dim`."""
    return weight.movedim(dim, 0).flatten(1)


def default_dim(module: Module) -> int:
    """The dimension of a module's weight that counts its outputs."""
    return 1 if isinstance(module, ConvTranspose1d | ConvTranspose2d | ConvTranspose3d) else 0


class _SpectralNorm(Module):
    def __init__(self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        super().__init__()
        if not -weight.ndim <= dim < weight.ndim:
            raise IndexError(f"spectral_norm expected a dim of the weight of shape {weight.shape}, got {dim}")
        if n_power_iterations <= 0:
            raise ValueError(f"spectral_norm expected n_power_iterations of at least 1, got {n_power_iterations}")
        self.dim, self.eps, self.n_power_iterations = dim % weight.ndim, eps, n_power_iterations
        if weight.ndim > 1:
            with ad.no_grad():
                matrix = as_matrix(weight, self.dim)
                for key, length in zip(("_u", "_v"), matrix.shape, strict=True):
                    drawn = ad.empty(length, dtype=weight.dtype).normal_(0.0, 1.0)
                    self.register_buffer(key, normalize(drawn, dim=0, eps=eps))
            self._iterate(matrix, 15)

    def _iterate(self, matrix: Tensor, times: int) -> None:
        """Improve the singular vectors of the largest singular value by so many steps of the power method."""
        with ad.no_grad():
            for _ in range(times):
                self._u.copy_(normalize(matrix.mv(self._v), dim=0, eps=self.eps))
                self._v.copy_(normalize(matrix.mT.mv(self._u), dim=0, eps=self.eps))

    def forward(self, weight: Tensor) -> Tensor:
        if weight.ndim == 1:
            return normalize(weight, dim=0, eps=self.eps)
        matrix = as_matrix(weight, self.dim)
        if self.training:
            self._iterate(matrix, self.n_power_iterations)
        # Copies, since the next call writes to the buffers before this one's graph is run backward.
        u, v = self._u.clone(), self._v.clone()
        return weight / ad.dot(u, matrix.mv(v))

    def right_inverse(self, value: Tensor) -> Tensor:
        return value


def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Module:
    """Divide a weight by its largest singular value, which the power method follows while training.

    The rows of the matrix are the indices of `dim`, by default the outputs. (Miyato et al. 2018)

    >>> import nn
    >>> layer = nn.utils.parametrizations.spectral_norm(nn.Linear(2, 3))
    >>> [name for name, _ in layer.named_buffers()]
    ['parametrizations.weight.0._u', 'parametrizations.weight.0._v']
    """
    weight = _weight_of(module, name, "spectral_norm")
    dim = default_dim(module) if dim is None else dim
    return register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, dim, eps))


def _weight_of(module: Module, name: str, by: str) -> Tensor:
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"{by}: {type(module).__name__} has no parameter or buffer {name!r}")
    return weight


class _Orthogonal(Module):
    base: Tensor | None

    def __init__(self, weight: Tensor, orthogonal_map: str, use_trivialization: bool) -> None:
        super().__init__()
        self.shape, self.orthogonal_map, self.use_trivialization = weight.shape, orthogonal_map, use_trivialization
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, x: Tensor) -> Tensor:
        wide = x.shape[-2] < x.shape[-1]
        x = x.mT if wide else x
        n, k = x.shape[-2:]
        if self.orthogonal_map == "householder":
            q = _householder(x)
        else:
            lower = ad.cat([x.tril(), ad.zeros(*x.shape[:-1], n - k, dtype=x.dtype)], -1)
            skew = lower - lower.mT
            if self.orthogonal_map == "matrix_exp":
                q = ad.linalg.matrix_exp(skew)
            else:
                identity = ad.eye(n, dtype=x.dtype)
                q = ad.linalg.solve(identity - 0.5 * skew, identity + 0.5 * skew)
            q = q[..., :k]
        if self.use_trivialization and self.base is not None:
            q = self.base @ q
        return q.mT if wide else q

    def right_inverse(self, weight: Tensor) -> Tensor:
        if weight.shape != self.shape:
            raise ValueError(f"orthogonal expected a weight of shape {self.shape}, got {weight.shape}")
        wide = weight.shape[-2] < weight.shape[-1]
        q = weight.mT if wide else weight
        if not self.use_trivialization:
            if self.orthogonal_map != "householder":
                raise NotImplementedError(
                    f"a weight with the orthogonal map {self.orthogonal_map} cannot be set if use_trivialization=False"
                )
            reflectors = _reflectors(q)
            return reflectors.mT if wide else reflectors
        n, k = q.shape[-2:]
        if n != k:
            q = ad.cat([q, ad.empty(*q.shape[:-1], n - k, dtype=q.dtype).normal_(0.0, 1.0)], -1)
        self.base = q.clone() if n == k and _is_orthogonal(q) else _make_orthogonal(q)
        return -ad.eye(*weight.shape[-2:], dtype=weight.dtype).expand(weight.shape).clone()


def _is_orthogonal(q: Tensor) -> bool:
    n, k = q.shape[-2:]
    return ad.allclose(
        q.mT @ q, ad.eye(k, dtype=q.dtype).expand(*q.shape[:-2], k, k), atol=10 * n * ad.finfo(q.dtype).eps
    )


def _make_orthogonal(matrix: Tensor) -> Tensor:
    """The Q of the factorisation whose R has a positive diagonal."""
    q, r = ad.linalg.qr(matrix)
    return q * r.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2)


def _householder(x: Tensor) -> Tensor:
    """The first columns of the product of the reflections whose vectors stand below the diagonal, times its signs."""
    n, k = x.shape[-2:]
    identity = ad.eye(n, k, dtype=x.dtype)
    below = x.tril(-1)
    scales = 2.0 / (1.0 + (below * below).sum(-2))
    vectors, q = below + identity, identity
    for i in reversed(range(k)):
        v = vectors[..., i : i + 1]
        q = q - scales[..., i, None, None] * (v @ (v.mT @ q))
    return q * x.detach().diagonal(dim1=-2, dim2=-1).trunc().unsqueeze(-2)


def _reflectors(q: Tensor) -> Tensor:
    """The `x` for which `_householder` gives the Q of `q`, with R's diagonal positive."""
    packed, scales = np.linalg.qr(q.detach().numpy(), mode="raw")
    packed = np.swapaxes(packed, -1, -2).copy()
    i = np.arange(packed.shape[-1])
    packed[..., i, i] = np.where(scales == 0, -1, 1) * np.sign(packed[..., i, i])
    return ad.from_numpy(packed)


def orthogonal(
    module: Module, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True
) -> Module:
    """Keep a matrix, or a batch of them, orthogonal: its columns, or its rows if it is wide, orthonormal.

    `orthogonal_map` is "matrix_exp", exp(A), or "cayley", (1 + A/2)(1 − A/2)⁻¹, of a skew-symmetric A, or
    "householder", a product of reflections: by default the first for square matrices and the last for others. With
    `use_trivialization` they multiply a fixed orthogonal `base` (Lezcano-Casado 2019).

    >>> import autodiff as ad, nn
    >>> weight = nn.utils.parametrizations.orthogonal(nn.Linear(2, 3)).weight
    >>> ad.allclose(weight.mT @ weight, ad.eye(2), atol=1e-6)
    True
    """
    weight = _weight_of(module, name, "orthogonal")
    if weight.ndim < 2:
        raise ValueError(f"orthogonal expected a matrix or a batch of matrices, got shape {weight.shape}")
    if orthogonal_map is None:
        orthogonal_map = "matrix_exp" if weight.shape[-2] == weight.shape[-1] else "householder"
    if orthogonal_map not in ("matrix_exp", "cayley", "householder"):
        raise ValueError(f'expected orthogonal_map "matrix_exp", "cayley" or "householder", got {orthogonal_map!r}')
    return register_parametrization(module, name, _Orthogonal(weight, orthogonal_map, use_trivialization), unsafe=True)
