"""The update formulas once more, of one Python number at a time: the number after steps with the given gradients."""

import math
from typing import Any

Betas = tuple[float, float]


def sgd(p: float, gradients: list[float], lr: float, **options: Any) -> float:
    momentum, dampening = options.get("momentum", 0.0), options.get("dampening", 0.0)
    buffer = None
    for g in gradients:
        g = decayed(p, g, options)
        if momentum:
            buffer = g if buffer is None else momentum * buffer + (1 - dampening) * g
            g = g + momentum * buffer if options.get("nesterov") else buffer
        p -= lr * g
    return p


def decayed(p: float, g: float, options: dict[str, Any]) -> float:
    return (-g if options.get("maximize") else g) + options.get("weight_decay", 0.0) * p


def rmsprop(p: float, gradients: list[float], lr: float, alpha: float = 0.99, **options: Any) -> float:
    square = mean = buffer = 0.0
    for g in gradients:
        g = decayed(p, g, options)
        square = alpha * square + (1 - alpha) * g**2
        mean = alpha * mean + (1 - alpha) * g if options.get("centered") else 0.0
        buffer = options.get("momentum", 0.0) * buffer + g / (math.sqrt(square - mean**2) + options.get("eps", 1e-8))
        p -= lr * buffer
    return p


def adam(p: float, gradients: list[float], lr: float, betas: Betas = (0.9, 0.999), **options: Any) -> float:
    mean = square = largest = 0.0
    for step, g in enumerate(gradients, start=1):
        p, g = decayed_apart(p, g, lr, options)
        mean = betas[0] * mean + (1 - betas[0]) * g
        square = betas[1] * square + (1 - betas[1]) * g**2
        largest = max(largest, square) if options.get("amsgrad") else square
        corrected = largest / (1 - betas[1] ** step)
        p -= lr * mean / (1 - betas[0] ** step) / (math.sqrt(corrected) + options.get("eps", 1e-8))
    return p


def decayed_apart(p: float, g: float, lr: float, options: dict[str, Any]) -> tuple[float, float]:
    """The number and its gradient, decayed in one way or the other."""
    if not options.get("decoupled_weight_decay"):
        return p, decayed(p, g, options)
    return p * (1 - lr * options.get("weight_decay", 0.0)), -g if options.get("maximize") else g


def adamw(p: float, gradients: list[float], lr: float, weight_decay: float = 1e-2, **options: Any) -> float:
    return adam(p, gradients, lr, weight_decay=weight_decay, decoupled_weight_decay=True, **options)


def adagrad(p: float, gradients: list[float], lr: float, **options: Any) -> float:
    total = options.get("initial_accumulator_value", 0.0)
    for step, g in enumerate(gradients):
        g = decayed(p, g, options)
        total += g**2
        p -= lr / (1 + step * options.get("lr_decay", 0.0)) * g / (math.sqrt(total) + options.get("eps", 1e-10))
    return p


def adadelta(p: float, gradients: list[float], lr: float, rho: float, eps: float, **options: Any) -> float:
    square = moved = 0.0
    for g in gradients:
        g = decayed(p, g, options)
        square = rho * square + (1 - rho) * g**2
        delta = math.sqrt((moved + eps) / (square + eps)) * g
        moved = rho * moved + (1 - rho) * delta**2
        p -= lr * delta
    return p


def adamax(p: float, gradients: list[float], lr: float, betas: Betas, eps: float, **options: Any) -> float:
    mean = largest = 0.0
    for step, g in enumerate(gradients, start=1):
        g = decayed(p, g, options)
        mean = betas[0] * mean + (1 - betas[0]) * g
        largest = max(betas[1] * largest, abs(g) + eps)
        p -= lr * mean / (1 - betas[0] ** step) / largest
    return p


def nadam(p: float, gradients: list[float], lr: float, betas: Betas, eps: float, **options: Any) -> float:
    mean = square = 0.0
    product = 1.0

    def mu(step: int) -> float:
        return betas[0] * (1 - 0.5 * 0.96 ** (step * options.get("momentum_decay", 4e-3)))

    for step, g in enumerate(gradients, start=1):
        p, g = decayed_apart(p, g, lr, options)
        product *= mu(step)
        mean = betas[0] * mean + (1 - betas[0]) * g
        square = betas[1] * square + (1 - betas[1]) * g**2
        ahead = (1 - mu(step)) * g / (1 - product) + mu(step + 1) * mean / (1 - product * mu(step + 1))
        p -= lr * ahead / (math.sqrt(square / (1 - betas[1] ** step)) + eps)
    return p


def radam(p: float, gradients: list[float], lr: float, betas: Betas, eps: float, **options: Any) -> float:
    mean = square = 0.0
    longest = 2 / (1 - betas[1]) - 1
    for step, g in enumerate(gradients, start=1):
        p, g = decayed_apart(p, g, lr, options)
        mean = betas[0] * mean + (1 - betas[0]) * g
        square = betas[1] * square + (1 - betas[1]) * g**2
        length = longest - 2 * step * betas[1] ** step / (1 - betas[1] ** step)
        scale = 1.0
        if length > 5:
            adapted = math.sqrt(1 - betas[1] ** step) / (math.sqrt(square) + eps)
            scale = adapted * math.sqrt(
                (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
            )
        p -= lr * mean / (1 - betas[0] ** step) * scale
    return p


def rprop(p: float, gradients: list[float], lr: float, etas: Betas, step_sizes: Betas, **options: Any) -> float:
    size, before = lr, 0.0
    for g in gradients:
        g = -g if options.get("maximize") else g
        if g * before > 0:
            size *= etas[1]
        elif g * before < 0:
            size *= etas[0]
            g = 0.0
        size = min(max(size, step_sizes[0]), step_sizes[1])
        p -= math.copysign(size, g) if g else 0.0
        before = g
    return p


def asgd(p: float, gradients: list[float], lr: float, lambd: float, alpha: float, **options: Any) -> float:
    eta = lr
    for step, g in enumerate(gradients, start=1):
        g = decayed(p, g, options)
        p = (1 - lambd * eta) * p - eta * g
        eta = lr / (1 + lambd * lr * step) ** alpha
    return p


def lion(p: float, gradients: list[float], lr: float, betas: Betas, **options: Any) -> float:
    mean = 0.0
    for g in gradients:
        g = -g if options.get("maximize") else g
        p *= 1 - lr * options.get("weight_decay", 0.0)
        p -= lr * math.copysign(1.0, betas[0] * mean + (1 - betas[0]) * g)
        mean = betas[1] * mean + (1 - betas[1]) * g
    return p
