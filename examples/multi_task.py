"""Ask three things of a handwritten digit at once, where most of the labels are missing.

    python examples/multi_task.py

Which digit it is, whether it is odd, and whether it has a loop. Half of the digits have no
label, and for the two questions only one in thirty has. One network for all tasks answers them with what it has
learned from the digits; three separate networks have their own labels only.
"""

import argparse
from pathlib import Path

from matplotlib.figure import Figure
from tqdm import trange

import autodiff as ad
import nn
import optim
from autodiff.data import mnist_5k
from autodiff.training import MultiTask, multitask_loss, task_metrics

OUTPUTS = {"digit": 10, "odd": 1, "loop": 1}
YES_OR_NO = nn.functional.binary_cross_entropy_with_logits
LOSSES = {"digit": nn.functional.cross_entropy, "odd": YES_OR_NO, "loop": YES_OR_NO}
WEIGHTS = {"digit": 1.0, "odd": 0.3, "loop": 0.3}  # of the losses
MISSING, BATCH_SIZE = {"digit": 0.5, "odd": 0.97, "loop": 0.97}, 128


def labels_of(digits: ad.Tensor, missing: dict[str, float]) -> dict[str, ad.Tensor]:
    """The labels by task; the missing ones are -100 where they are classes, nan where they are yes or no."""
    loops = ad.isin(digits, ad.tensor([0, 6, 8, 9]))
    labels = {"digit": digits, "odd": (digits % 2).float(), "loop": loops.float()}
    return {
        task: label.masked_fill(ad.rand(len(digits)) < missing[task], -100 if task == "digit" else ad.nan)
        for task, label in labels.items()
    }


def make_model(tasks: list[str]) -> nn.Module:
    trunk = nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Dropout(0.3),
        nn.Linear(256, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.3),
    )  # fmt: skip
    # A single score a yes-or-no question is a number, not a row of one.
    heads = {
        task: nn.Sequential(nn.Linear(64, n), nn.Flatten(int(n > 1))) for task, n in OUTPUTS.items() if task in tasks
    }
    return MultiTask(trunk, heads)


def accuracy(outputs: ad.Tensor, labels: ad.Tensor) -> ad.Tensor:
    answers = outputs.argmax(dim=1) if outputs.ndim == 2 else outputs > 0
    return (answers == labels).float().mean()


def train(tasks: list[str], images: ad.Tensor, labels: dict[str, ad.Tensor], epochs: int) -> nn.Module:
    """Learn the tasks from the images that have a label of at least one of them."""
    model = make_model(tasks)
    optimizer = optim.Adam(model.parameters(), lr=0.003)
    there = ad.stack([labels[task] >= 0 for task in tasks]).any(dim=0).nonzero().squeeze(1)
    for _ in (progress := trange(epochs, desc=" and ".join(tasks))):
        for batch in there[ad.randperm(len(there))].split(BATCH_SIZE):
            given = {task: labels[task][batch] for task in tasks}
            loss = multitask_loss(
                model(images[batch]),
                given,
                {task: LOSSES[task] for task in tasks},
                weights={task: WEIGHTS[task] for task in tasks},
            )
            optimizer.zero_grad()
            loss.total.backward()
            optimizer.step()
        progress.set_postfix(loss=f"{loss.total.item():.3f}")
    return model


def evaluate(model: nn.Module, images: ad.Tensor, labels: dict[str, ad.Tensor]) -> dict[str, float]:
    model.eval()
    with ad.no_grad():
        outputs = model(images)
    return task_metrics(outputs, {task: labels[task] for task in outputs}, dict.fromkeys(outputs, accuracy))


def draw(results: dict[str, dict[str, float]], path: Path) -> None:
    figure = Figure(figsize=(7, 4), layout="constrained")
    panel = figure.subplots()
    for k, (name, accuracies) in enumerate(results.items()):
        bars = panel.bar([place + 0.4 * k for place in range(len(OUTPUTS))], accuracies.values(), 0.38, label=name)
        panel.bar_label(bars, fmt="%.3f")
    panel.set(ylim=(0.5, 1.1), ylabel="test accuracy", xticks=[place + 0.2 for place in range(len(OUTPUTS))])
    panel.set_xticklabels(OUTPUTS)
    panel.legend(loc="upper center", ncols=2)
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="of the labels that are missing, the weights, the order")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--out", type=Path, default=Path("runs/multi_task"), help="the folder for the picture")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    ad.manual_seed(options.seed)
    (images, digits), _, test = mnist_5k()
    labels, test_labels = labels_of(digits, MISSING), labels_of(test.labels, dict.fromkeys(OUTPUTS, 0.0))
    print(f"labels: {', '.join(f'{(labels[task] >= 0).sum().item()} of {task}' for task in OUTPUTS)}")

    together = evaluate(train(list(OUTPUTS), images, labels, options.epochs), test.images, test_labels)
    alone = {}
    for task in OUTPUTS:
        alone |= evaluate(train([task], images, labels, options.epochs), test.images, test_labels)
    print(f"{'test accuracy':14}{'three networks':>15}{'one network':>13}")
    for task in OUTPUTS:
        print(f"{task:14}{alone[task]:15.3f}{together[task]:13.3f}")
    draw({"three networks": alone, "one network": together}, options.out / "accuracies.png")


if __name__ == "__main__":
    main()
