"""λ/2m with m the batch or the set, the decay factor 1 − αλ/m; and dropout scaled in training against at test time."""

import autodiff as ad
import nn
import optim


def step_with_penalty(w: list[float], alpha: float, lambda_: float, m: int) -> ad.Tensor:
    """One step down cost + λ/2m ‖w‖²."""
    w = ad.tensor(w, dtype=ad.float64, requires_grad=True)
    (ad.sin(w).sum() + lambda_ / (2 * m) * (w * w).sum()).backward()
    return w.detach() - alpha * w.grad


def step_with_decay(w: list[float], alpha: float, lambda_: float, m: int) -> ad.Tensor:
    """The same as shrinking w by 1 − αλ/m and going down the cost alone; `weight_decay=λ/m` does so."""
    w = ad.tensor(w, dtype=ad.float64, requires_grad=True)
    optimizer = optim.SGD([w], lr=alpha, weight_decay=lambda_ / m)
    ad.sin(w).sum().backward()
    by_hand = (1 - alpha * lambda_ / m) * w.detach() - alpha * w.grad
    optimizer.step()
    assert ad.allclose(by_hand, w)
    return w.detach()


def shrinking_in_an_epoch(alpha: float, lambda_: float, examples: int, batch: int, m: int) -> float:
    """What the penalty alone leaves of a weight after an epoch of mini-batches, where `m` divides λ."""
    return (1 - alpha * lambda_ / m) ** (examples // batch)


def dropout_in_training(a: ad.Tensor, keep_prob: float, training: bool) -> ad.Tensor:
    """Inverted dropout: what is kept is divided by keep_prob at once, and nothing is left to do afterwards."""
    return a * (ad.rand_like(a) < keep_prob) / keep_prob if training else a


def dropout_at_test_time(a: ad.Tensor, keep_prob: float, training: bool) -> ad.Tensor:
    """The older form: what is kept stays, and at test time everything is multiplied by keep_prob."""
    return a * (ad.rand_like(a) < keep_prob) if training else a * keep_prob


def mean_and_test(form, keep_prob: float, runs: int = 20000) -> tuple[float, float]:
    """The mean of a unit in training, over many masks, and its value at test time; without dropout it is 1."""
    ad.manual_seed(0)
    return form(ad.ones(runs), keep_prob, True).mean().item(), form(ad.ones(1), keep_prob, False).item()


def kept_by_the_module(keep_prob: float) -> float:
    """`nn.Dropout` takes the probability to drop, p = 1 − keep_prob, and is inverted dropout."""
    ad.manual_seed(0)
    return nn.Dropout(p=1 - keep_prob)(ad.ones(20000)).max().item()


def main() -> None:
    w, alpha, lambda_ = [1.0, -2.0], 0.1, 0.7
    print(f"penalty {step_with_penalty(w, alpha, lambda_, 10)}, decay {step_with_decay(w, alpha, lambda_, 10)}")
    for name, m in (("the set, 6400", 6400), ("the batch, 64", 64)):
        print(f"m is {name}: an epoch leaves {shrinking_in_an_epoch(alpha, lambda_, 6400, 64, m):.4f} of a weight")
    for form in (dropout_in_training, dropout_at_test_time):
        mean, test = mean_and_test(form, keep_prob=0.8)
        print(f"{form.__name__}: mean in training {mean:.3f}, at test time {test:.3f}")
    print(f"nn.Dropout(0.2) makes 1 into 0 or {kept_by_the_module(0.8):.3f}")


if __name__ == "__main__":
    main()
