"""Search for good hyperparameters of a digit reader: at random, on proper scales, first coarse, then fine.

    python examples/hyperparameter_search.py --jobs 2

Rates are drawn on a log scale, the momentum β by 1 - β on a log scale, the number of units as whole numbers. Trials run
in so many processes at once, and the same seed gives the same trials in any number of them.
"""

import argparse
from pathlib import Path

import autodiff as ad
import nn
import optim
from autodiff.data import mnist_5k
from autodiff.training.scales import Integer, Log, OneMinusLog, Uniform
from autodiff.training.search import Trial, best, search, zoom
from autodiff.training.search_picture import draw_trials

SPACE = {
    "rate": Log(1e-4, 1.0),
    "momentum": OneMinusLog(0.5, 0.99),
    "hidden": Integer(16, 128),
    "dropout": Uniform(0.0, 0.6),
}
EXAMPLES, BATCH_SIZE, EPOCHS = 1000, 50, 6


def dev_accuracy(params: dict[str, float]) -> float:
    """What a network with these hyperparameters reads right of the dev set, having learned from 1,000 images."""
    data, dev, _ = mnist_5k()
    images, labels = (part[:EXAMPLES] for part in data)
    hidden = params["hidden"]
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(784, hidden), nn.ReLU(), nn.Dropout(params["dropout"]), nn.Linear(hidden, 10)
    )
    optimizer = optim.SGD(model.parameters(), lr=params["rate"], momentum=params["momentum"])
    for _ in range(EPOCHS):
        for batch in ad.randperm(EXAMPLES).split(BATCH_SIZE):
            cost = nn.functional.cross_entropy(model(images[batch]), labels[batch])
            if not cost.isfinite():
                raise FloatingPointError(f"diverged with {params}")
            optimizer.zero_grad()
            cost.backward()
            optimizer.step()
    model.eval()
    with ad.no_grad():
        return (model(dev.images).argmax(dim=1) == dev.labels).float().mean().item()


def show(name: str, trials: list[Trial]) -> None:
    scores = sorted((trial.score for trial in trials if trial.score == trial.score), reverse=True)
    found = best(trials)
    params = ", ".join(f"{key} {value:.3g}" for key, value in found.params.items())
    print(f"{name}: best {found.score:.3f}, median {scores[len(scores) // 2]:.3f} of {len(trials)}; {params}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="of the trials")
    parser.add_argument("--trials", type=int, default=20, help="of the coarse search; the fine one has half as many")
    parser.add_argument("--jobs", type=int, default=1, help="trials that run at once")
    parser.add_argument("--out", type=Path, default=Path("runs/hyperparameter_search"), help="the folder for pictures")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    coarse = search(dev_accuracy, SPACE, options.trials, seed=options.seed, n_jobs=options.jobs)
    show("coarse", coarse)
    draw_trials(coarse, SPACE, options.out / "coarse.png")
    space = zoom(SPACE, coarse)
    print("the best five lie in " + ", ".join(f"{name} {s.low:.3g} to {s.high:.3g}" for name, s in space.items()))
    fine = search(dev_accuracy, space, options.trials // 2, seed=options.seed + 1, n_jobs=options.jobs)
    show("fine", fine)
    draw_trials(fine, space, options.out / "fine.png")


if __name__ == "__main__":
    main()
