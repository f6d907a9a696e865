"""What is frozen stays bit for bit; heads, states and rates are what they are said to be."""

import copy
import pickle

import pytest

import autodiff as ad
import nn
import optim
from autodiff.training import (
    discriminative_rates,
    freeze,
    load_matching,
    replace_head,
    staged_unfreezing,
    unfreeze,
)


def network() -> nn.Sequential:
    ad.manual_seed(0)
    return nn.Sequential(
        nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Linear(5, 2)
    )


def step(model: nn.Module, optimizer: optim.Optimizer) -> None:
    model.train()
    optimizer.zero_grad()
    (model(ad.randn(8, 3) + 2) ** 2).mean().backward()
    optimizer.step()


def changed(model: nn.Module, before: dict[str, ad.Tensor]) -> set[str]:
    """The numbers of the layers of which some parameter or statistic changed."""
    return {name.partition(".")[0] for name, tensor in model.state_dict().items() if not tensor.equal(before[name])}


def test_what_is_frozen_stays_and_the_rest_learns() -> None:
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    step(model, optimizer)
    before = copy.deepcopy(model.state_dict())
    freeze(model[:3])
    for _ in range(3):
        step(model, optimizer)
    assert changed(model, before) == {"3", "4", "5"}
    unfreeze(model[:3])
    step(model, optimizer)
    assert changed(model, before) == {"0", "1", "3", "4", "5"}


def test_frozen_batch_norm_normalises_by_its_statistics_in_training_too() -> None:
    layer = nn.BatchNorm1d(3)
    layer(ad.randn(50, 3) * 2 + 1)
    layer.eval()
    x = ad.randn(5, 3)
    expected = layer(x)
    freeze(layer)
    assert layer.train()(x).equal(expected)
    unfreeze(layer)
    assert not layer.train()(x).equal(expected)


def test_freezing_twice_is_freezing_once_and_survives_copies() -> None:
    model = network()
    freeze(model)
    freeze(model)
    for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        before = copy.deepcopy(copied.state_dict())
        copied.train()(ad.randn(8, 3))
        assert not changed(copied, before)
    unfreeze(model)
    before = copy.deepcopy(model.state_dict())
    model.train()(ad.randn(8, 3))
    assert changed(model, before) == {"1", "4"}


def test_the_last_linear_layer_is_the_head_unless_another_is_named() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
            self.classify = nn.ModuleDict({"digit": nn.Linear(4, 10, bias=False, dtype=ad.float64)})

    model = Model()
    head = replace_head(model, 2)
    assert head is model.classify["digit"]
    assert (head.weight.shape, head.weight.dtype, head.bias) == ((2, 4), ad.float64, None)
    replace_head(model, 7, "body.0")
    assert model.body[0].weight.shape == (7, 3)
    with pytest.raises(
        ValueError, match=r"a linear layer 'body\.1' in the model, it has \['body\.0', 'classify\.digit'\]"
    ):
        replace_head(model, 2, "body.1")
    with pytest.raises(ValueError, match=r"expected a linear layer in the model, it has \[\]"):
        replace_head(nn.ReLU(), 2)


def test_a_state_is_loaded_where_names_and_shapes_match() -> None:
    model, other = network(), network()
    with ad.no_grad():
        for p in other.parameters():
            p += 1
    state = {name: tensor for name, tensor in other.state_dict().items() if name != "0.bias"}
    state |= {"5.weight": ad.zeros(9, 5), "6.weight": ad.zeros(1)}
    before = copy.deepcopy(model.state_dict())
    report = load_matching(model, state)
    after = model.state_dict()
    for name in after:
        assert after[name].equal(other.state_dict()[name] if name in report.loaded else before[name])
    assert (report.missing, report.unexpected) == (("0.bias",), ("6.weight",))
    assert report.shapes == {"5.weight": ((2, 5), (9, 5))}
    assert len(report.loaded) + len(report.shapes) + len(report.missing) == len(after)
    assert str(report).splitlines() == [
        f"{len(after) - 2} of {len(after)} tensors of the model loaded",
        "  5.weight: (2, 5) here, (9, 5) in the state",
        "  0.bias: not in the state",
        "  6.weight: not in the model",
    ]


def test_extra_state_is_loaded_too() -> None:
    class Counting(nn.Linear):
        count: dict[str, int]

        def get_extra_state(self) -> dict[str, int]:
            return self.count

        def set_extra_state(self, state: dict[str, int]) -> None:
            self.count = state

    one, other = Counting(2, 2), Counting(2, 2)
    one.count, other.count = {"seen": 1}, {"seen": 7}
    assert "_extra_state" in load_matching(one, other.state_dict()).loaded
    assert one.count == {"seen": 7}


def test_the_state_of_another_model_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected names and shapes of the model, such as \['0\.weight'"):
        load_matching(network(), {"module.0.weight": ad.zeros(4, 3), "5.bias": ad.zeros(3)})


def test_rates_fall_by_the_decay_from_the_last_layer_to_the_first() -> None:
    model = network()
    groups = discriminative_rates(model, lr=1.0, decay=2.0)
    assert [group["lr"] for group in groups] == [1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0]
    found = [name for group in groups for name, _ in group["params"]]
    assert found == [name for name, _ in model.named_parameters()]
    shared = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2))
    shared[2].weight = shared[0].weight
    groups = discriminative_rates(shared, lr=1.0)
    assert [len(group["params"]) for group in groups] == [2, 2, 1]
    optim.SGD(groups)


def test_layers_are_set_free_one_by_one_from_the_last() -> None:
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    start_epoch = staged_unfreezing(model, every=2)
    learned = []
    for epoch in (0, 1, 2, 4, 6, 8, 50):
        start_epoch(epoch)
        before = copy.deepcopy(model.state_dict())
        step(model, optimizer)
        learned.append("".join(sorted(changed(model, before))))
    assert learned == ["5", "5", "45", "345", "1345", "01345", "01345"]
    start_epoch(0)
    assert not model[0].weight.requires_grad


def test_what_has_no_layers_is_refused() -> None:
    class Bare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(ad.ones(1))
            self.layer = nn.Linear(2, 2)

    with pytest.raises(ValueError, match=r"in Bare \['scale'\] stand outside"):
        discriminative_rates(Bare(), lr=0.1)
    with pytest.raises(ValueError, match=r"in Linear .*'weight'"):
        staged_unfreezing(nn.Linear(2, 2))
    with pytest.raises(ValueError, match="no child has parameters"):
        staged_unfreezing(nn.Sequential(nn.ReLU()))
    with pytest.raises(ValueError, match=r"at least 1, got 0\.5"):
        discriminative_rates(network(), lr=0.1, decay=0.5)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        staged_unfreezing(network(), every=0)
