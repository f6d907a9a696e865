"""What `lint` finds in a training step, and that it finds nothing in a good one."""

import numpy as np
import pytest

import autodiff as ad
import nn
import nn.functional as F
import optim
from autodiff.inspect import Fault, Lint, lint


def told(findings: list[Fault]) -> list[str]:
    """The findings without the advice."""
    return [finding.partition(". ")[0] for finding in findings]


def step(model: nn.Module) -> None:
    model(ad.ones(4, 3)).square().mean().backward()


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))


def test_nothing_is_wrong_with_a_good_step() -> None:
    model = network()
    optimizer = optim.Adam(model.parameters())
    for _ in range(3):
        optimizer.zero_grad()
        step(model)
        assert lint(model, optimizer) == []
        optimizer.step()


def test_parameters_of_another_model() -> None:
    model, other = network(), network()
    optimizer = optim.SGD([{"params": other[0].parameters()}, {"params": model.parameters()}], lr=0.1)
    named = optim.SGD([*model.named_parameters(), ("old", other[2].weight)], lr=0.1)
    step(model)
    what = "in the optimizer but not in the model: made of another one, or of what was replaced since: "
    listed = "parameter 0 of group 0, shape (5, 3); parameter 1 of group 0, shape (5,)"
    assert told(lint(model, optimizer)) == [what + listed]
    assert told(lint(model, named)) == [what + "old, shape (2, 5)"]


def test_parameters_that_the_optimizer_lacks() -> None:
    model = network()
    optimizer = optim.SGD(model[0].parameters(), lr=0.1)
    step(model)
    what = "in the model but not in the optimizer, so that it stays as it is: "
    assert told(lint(model, optimizer)) == [what + "2.weight; 2.bias"]
    model[2].requires_grad_(False)
    assert lint(model, optimizer) == []


def test_frozen_parameters() -> None:
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    model[2].bias.requires_grad_(False)
    step(model)
    assert told(lint(model, optimizer)) == [
        "in the optimizer but frozen, as it does not require grad, while others of its module learn: 2.bias"
    ]


def test_missing_gradients() -> None:
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    (all_missing,) = lint(model, optimizer)
    assert all_missing.startswith("without a gradient although the loss depends on it: 0.w")
    assert all_missing.endswith("Call loss.backward() before, and zero_grad() not in between")
    model[0](ad.ones(4, 3)).sum().backward()
    assert told(lint(model, optimizer)) == ["without a gradient: the loss does not depend on it: 2.weight; 2.bias"]


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_infinities(bad: float) -> None:
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    step(model)
    assert model[2].weight.grad is not None
    model[2].weight.grad[1, 2] = bad
    assert told(lint(model, optimizer)) == ["with an infinite or NaN gradient: 2.weight"]
    model[2].weight.grad[1, 2] = 0.0
    model[0].bias.data[0] = bad
    assert told(lint(model, optimizer)) == ["infinite or NaN since a step before: 0.bias"]


def test_long_lists_are_cut() -> None:
    model = nn.Sequential(*(nn.Linear(1, 1) for _ in range(5)))
    optimizer = optim.SGD(network().parameters(), lr=0.1)
    _, missing = lint(model, optimizer)
    assert "3.weight; 3.bias and 2 more. " in missing


def finding_of(model: nn.Module, loss: ad.Tensor) -> Fault:
    """The one finding of a step without optimizer faults."""
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    loss.backward()
    (finding,) = lint(model, optimizer, loss)
    return finding


def test_layers_in_a_dictionary() -> None:
    model = network()
    with pytest.warns(UserWarning, match="ModuleDict"):
        model.heads = {"a": nn.Linear(2, 1), "b": nn.Linear(2, 1)}
    finding = finding_of(model, model.heads["a"](model(ad.ones(4, 3))).mean())
    assert (finding.kind, finding.places) == ("unregistered", ("heads['a'].weight", "heads['a'].bias"))


def test_softmax_of_one_score() -> None:
    model = nn.Linear(3, 1)
    finding = finding_of(model, F.cross_entropy(model(ad.ones(4, 3)), ad.zeros(4, dtype=ad.int64)))
    assert (finding.kind, finding.places) == ("softmax of one", ("behind weight",))


def test_running_averages_that_are_not_finite() -> None:
    model = nn.BatchNorm1d(3)
    loss = model(ad.randn(4, 3)).square().mean()
    assert model.running_var is not None
    model.running_var[1] = np.nan
    assert finding_of(model, loss).kind == "averages not finite"


def test_a_loss_without_a_graph() -> None:
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    (finding,) = lint(model, optimizer, model(ad.ones(4, 3)).detach().sum())
    assert finding.kind == "no graph"
    with pytest.raises(TypeError, match="expected the loss as a tensor"):
        lint(model, optimizer, 0.5)  # type: ignore[arg-type]


def test_the_far_end_of_a_recurrence_read_where_it_starts() -> None:
    """The backward direction has seen one step only at the end of the sequence: its matrix learns nothing."""
    rnn, head = nn.GRU(2, 4, batch_first=True, bidirectional=True), nn.Linear(8, 1)
    model = nn.ModuleList([rnn, head])
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    with Lint(model, optimizer) as watch:
        for _ in range(3):
            optimizer.zero_grad()
            loss = head(rnn(ad.randn(4, 5, 2))[0][:, -1]).square().mean()
            loss.backward()
            found = watch.check(loss)
            optimizer.step()
    assert [(finding.kind, finding.places) for finding in found] == [("zero gradient", ("0.weight_hh_l0_reverse",))]


def test_a_watch_leaves_nothing_behind() -> None:
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    with Lint(model, optimizer) as watch:
        step(model)
        assert watch.check(model(ad.ones(4, 3)).square().mean()) == []
    assert all(not p.node.hooks.before for p in model.parameters())
    assert not optimizer.post_hooks
