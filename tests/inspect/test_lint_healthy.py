"""Training that looks like a fault and is none: lint says nothing of it."""

from collections.abc import Callable
from itertools import pairwise

import pytest

import autodiff as ad
import nn
import nn.functional as F
import optim
from autodiff.inspect import Lint, lint


def network(*sizes: int) -> nn.Module:
    layers: list[nn.Module] = []
    for a, b in pairwise(sizes):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def batch() -> tuple[ad.Tensor, ad.Tensor]:
    x = ad.randn(16, 6)
    return x, (x[:, 0] > 0).long()


def accumulating() -> None:
    """Several batches for one step."""
    model = network(6, 20, 2)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    with Lint(model, optimizer) as watch:
        for _ in range(5):
            optimizer.zero_grad()
            for _ in range(3):
                x, y = batch()
                loss = F.cross_entropy(model(x), y) / 3
                loss.backward()
                assert watch.check(loss) == []
            optimizer.step()


def adversaries() -> None:
    """Each loss gives the other network gradients, too, which nobody uses."""
    maker, judge = network(4, 20, 6), network(6, 20, 1)
    for_maker, for_judge = optim.Adam(maker.parameters(), lr=2e-3), optim.Adam(judge.parameters(), lr=2e-3)
    score = nn.BCEWithLogitsLoss()
    with Lint(maker, for_maker) as watch_maker, Lint(judge, for_judge) as watch_judge:
        for _ in range(6):
            made = maker(ad.randn(16, 4))
            for_judge.zero_grad()
            loss = score(judge(ad.randn(16, 6)), ad.ones(16, 1)) + score(judge(made.detach()), ad.zeros(16, 1))
            loss.backward()
            assert watch_judge.check(loss) == []
            for_judge.step()
            for_maker.zero_grad()
            loss = score(judge(made), ad.ones(16, 1))
            loss.backward()
            assert watch_maker.check(loss) == []
            for_maker.step()


def warming_up() -> None:
    """The learning rate starts at 0."""
    model = network(6, 20, 2)
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    schedule = optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(step / 5, 1))
    with Lint(model, optimizer) as watch:
        for _ in range(8):
            x, y = batch()
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            assert watch.check(loss) == []
            optimizer.step()
            schedule.step()


def taking_turns() -> None:
    """One trunk, two heads, and one of them at a time."""
    model = nn.ModuleDict({"trunk": network(6, 20), "a": nn.Linear(20, 2), "b": nn.Linear(20, 2)})
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    with Lint(model, optimizer) as watch:
        for step in range(8):
            x, y = batch()
            optimizer.zero_grad()
            loss = F.cross_entropy(model["ab"[step % 2]](model["trunk"](x)), y)
            loss.backward()
            assert watch.check(loss) == []
            optimizer.step()


def truncated() -> None:
    """A state that goes from step to step, detached; its last values are kept."""
    rnn, head = nn.GRUCell(3, 8), nn.Linear(8, 1)
    model = nn.ModuleList([rnn, head])
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    state, losses = ad.zeros(4, 8), []
    with Lint(model, optimizer) as watch:
        for _ in range(6):
            state = rnn(ad.randn(4, 3), state.detach())
            loss = head(state).square().mean()
            optimizer.zero_grad()
            loss.backward()
            assert watch.check(loss) == []
            optimizer.step()
            losses.append(loss.item())


def fine_tuning() -> None:
    """A frozen part that stays in evaluation mode, and a teacher that is hidden in a list."""
    base = nn.Sequential(nn.Linear(6, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(0.5))
    base.requires_grad_(False)
    model = nn.Sequential(base, nn.Linear(12, 2))
    teacher = network(6, 8, 2)
    object.__setattr__(model, "teacher", [teacher])
    optimizer = optim.SGD(model[1].parameters(), lr=0.1)
    model.train()
    base.eval()
    with Lint(model, optimizer) as watch:
        for _ in range(5):
            x, _ = batch()
            with ad.no_grad():
                wanted = teacher(x).softmax(1)
            loss = F.cross_entropy(model(x), wanted)
            optimizer.zero_grad()
            loss.backward()
            assert watch.check(loss) == []
            optimizer.step()


def starting_at_zero() -> None:
    """A residual branch whose last layer starts at 0, so that what lies before gets no gradient in the first step."""
    first, inner, last = nn.Linear(6, 20), nn.Linear(20, 20), nn.Linear(20, 20)
    head = nn.Linear(20, 2)
    nn.init.zeros_(last.weight)
    model = nn.ModuleList([first, inner, last, head])
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    with Lint(model, optimizer) as watch:
        for _ in range(5):
            x, y = batch()
            x = first(x)
            loss = F.cross_entropy(head(x + last(inner(x).relu())), y)
            optimizer.zero_grad()
            loss.backward()
            assert watch.check(loss) == []
            optimizer.step()


def best_so_far() -> None:
    """The loss of the best step is kept, with its graph, which does not grow."""
    model = network(6, 20, 2)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    best = None
    with Lint(model, optimizer) as watch:
        for _ in range(10):
            x, y = batch()
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad(set_to_none=False)
            loss.backward()
            assert watch.check(loss) == []
            optimizer.step()
            best = loss if best is None or loss < best else best


def probabilities_on_purpose() -> None:
    """Losses that take probabilities or their logarithms get these."""
    model = network(6, 20, 3)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    x, y = batch()
    for scores in (model(x), model(x) / 0.7):
        probabilities, log_probabilities = scores.softmax(1), scores.log_softmax(1)
        loss = (
            F.nll_loss(log_probabilities, y)
            + F.binary_cross_entropy(scores.sigmoid(), ad.rand(16, 3))
            + F.kl_div(log_probabilities, probabilities.detach(), reduction="batchmean")
            - (probabilities * log_probabilities).sum(1).mean()
            + F.cross_entropy(scores.tanh(), y)
        )
        optimizer.zero_grad()
        loss.backward()
        assert lint(model, optimizer, loss) == []


def come_to_rest() -> None:
    """A model that has learned all there is, in float32: the steps vanish in rounding."""
    model = nn.Linear(3, 2)
    optimizer = optim.SGD(model.parameters(), lr=0.3)
    x = ad.randn(32, 3)
    y = x @ ad.randn(3, 2)
    with Lint(model, optimizer) as watch:
        for _ in range(300):
            loss = F.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            assert watch.check(loss) == []
            optimizer.step()


@pytest.mark.parametrize(
    "train",
    [accumulating, adversaries, warming_up, taking_turns, truncated, fine_tuning, starting_at_zero, best_so_far,
     probabilities_on_purpose, come_to_rest],
)  # fmt: skip
def test_nothing_is_said(train: Callable[[], None]) -> None:
    ad.manual_seed(1)
    train()
