"""Tell bias from variance by the errors on train and dev set, and follow the advice.

    python examples/bias_variance.py

Nearly all people read these digits, so the error to compare with is about 0.2 %.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure

import autodiff as ad
import nn
import optim
from autodiff.data import Examples, mnist_5k, random_shift
from autodiff.training import diagnose, fit

HUMAN_ERROR = 0.002


class Setting(NamedTuple):
    hidden: int
    examples: int
    shift: int = 0  # pixels by which copies of the images are moved
    dropout: float = 0.0


SETTINGS = {
    "small": Setting(hidden=2, examples=500),
    "bigger": Setting(hidden=300, examples=500),
    "bigger, more data": Setting(hidden=300, examples=3500),
    "more data, moved, dropout": Setting(hidden=300, examples=3500, shift=2, dropout=0.2),
}


def train(setting: Setting, data: Examples, epochs: int) -> nn.Module:
    """As many steps for few examples as for many."""
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(784, setting.hidden), nn.ReLU(),
        nn.Dropout(setting.dropout), nn.Linear(setting.hidden, 10),
    )  # fmt: skip
    # The model itself moves the images that it learns from.
    model.register_forward_pre_hook(lambda m, images: (random_shift(*images, setting.shift),) if m.training else images)
    epochs = epochs * 3500 // setting.examples
    part = tuple(t[: setting.examples] for t in data)
    optimizer = optim.Adam(model.parameters(), lr=0.002)
    fit(model, nn.CrossEntropyLoss(), optimizer, part, epochs=epochs, batch_size=64, progress=False)
    return model


def error(model: nn.Module, examples: Examples) -> float:
    model.eval()
    with ad.no_grad():
        return (model(examples.images).argmax(dim=1) != examples.labels).float().mean().item()


def draw(errors: dict[str, tuple[float, float]], path: Path) -> None:
    figure = Figure(figsize=(9, 4), layout="constrained")
    panel = figure.subplots()
    for place, (name, (on_train, on_dev)) in enumerate(errors.items()):
        panel.barh(place, on_train, color="tab:blue")
        panel.barh(place, on_dev - on_train, left=on_train, color="tab:orange")
        panel.text(max(on_train, on_dev), place, f" {name}", va="center")
    panel.axvline(HUMAN_ERROR, color="k", linestyle="--", linewidth=1)
    panel.set(yticks=[], xlabel="error", xlim=(0, 1.5 * max(on_dev for _, on_dev in errors.values())))
    panel.invert_yaxis()
    panel.set_title("train error: bias (blue); what the dev error adds: variance (orange); dashed: human level")
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="of the weights, the order, the shifts and the dropout")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("runs/bias_variance"), help="the folder for the picture")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    data, dev, _ = mnist_5k()
    errors = {}
    for name, setting in SETTINGS.items():
        ad.manual_seed(options.seed)
        model = train(setting, data, options.epochs)
        on_train = error(model, Examples(*(t[: setting.examples] for t in data)))
        errors[name] = on_train, error(model, dev)
        found = diagnose(human=HUMAN_ERROR, train=on_train, dev=errors[name][1])
        print(f"{name}: {setting}\n{found}\n")
    draw(errors, options.out / "errors.png")


if __name__ == "__main__":
    main()
