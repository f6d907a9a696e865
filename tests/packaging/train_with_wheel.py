"""Train a small network with the installed packages, where nothing but the core dependencies is installed.

Run by `make wheel`, isolated from the source tree: `python -I` keeps this folder and the current one off the path.
"""

import sys
from importlib.resources import files

import autodiff as ad
import nn
import optim


def train_xor(steps: int) -> tuple[float, float]:
    """Return the first and the last loss of a (2, 8, 2) network that learns exclusive or."""
    ad.manual_seed(0)
    inputs = ad.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    labels = ad.tensor([0, 1, 1, 0])
    model = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))
    optimizer = optim.Adam(model.parameters(), lr=0.05)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = nn.CrossEntropyLoss()(model(inputs), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses[0], losses[-1]


def check(condition: bool, complaint: str) -> None:
    if not condition:
        sys.exit(f"wheel: {complaint}")


def main() -> None:
    for package in (ad, nn, optim):
        check(str(package.__file__).startswith(sys.prefix), f"{package.__name__} came from {package.__file__}")
        check(files(package).joinpath("py.typed").is_file(), f"{package.__name__} ships no py.typed")
    check(files(ad).joinpath("_signatures.pyi").is_file(), "autodiff ships no _signatures.pyi")
    check(files(ad).joinpath("inspect/page/page.html").is_file(), "autodiff ships no page for reports")
    first, last = train_xor(steps=200)
    check(last < 0.01 < first, f"training took the loss from {first:.4f} to {last:.4f} only")
    print(f"the wheel trains: loss from {first:.4f} to {last:.4f}")


if __name__ == "__main__":
    main()
