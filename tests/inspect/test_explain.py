"""`explain` names what was planted in a random program, with its line, and says nothing of healthy ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autodiff as ad
import nn
import optim


class Nothing(ad.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return None


def under_no_grad(x):
    with ad.no_grad():
        return x * 1.5


SMOOTH = [
    ad.tanh,
    ad.sin,
    lambda x: x * 0.5,
    lambda x: (x + x.T) * 0.5,
    lambda x: (x[0] + x) * 0.5,
    lambda x: x.reshape(4).reshape(2, 2),
]
# The kind that is to be named; what does it.
CUTS = {
    "detached here": [lambda x: x.detach(), lambda x: x.data, lambda x: ad.asarray(x.detach())],
    "no_grad here": [under_no_grad],
    "integer here": [
        lambda x: x.argmax(1).float() + ad.zeros(2, 2),
        lambda x: (x > 0).float(),
        lambda x: x.long() * 1.0,
    ],
    "taken out of the graph here": [lambda x: ad.tensor(x.tolist()), lambda x: ad.ones(2, 2) * x.sum().item()],
}
ZEROS = {
    "dead ReLU": [lambda x: (x - 100.0).relu()],
    "multiplied by zero here": [lambda x: x * 0.0, lambda x: x @ ad.zeros(2, 2)],
    "branch not chosen here": [lambda x: ad.where(x < 1e9, 1.0, x)],
    "saturated here": [lambda x: (x.square() + 200.0).sigmoid(), lambda x: (x.square() + 200.0).tanh()],
    "a step function here": [lambda x: x.round(), lambda x: x.sign()],
    "outside the limits here": [lambda x: (x.square() + 10.0).clamp(0.0, 1.0)],
    "cancelled here": [lambda x: x - x.clone()],
    "no derivative here": [Nothing.apply],
}
PLANTS = [(kind, fault) for table in (CUTS, ZEROS) for kind, faults in table.items() for fault in faults]


def program(w: ad.Tensor, other: ad.Tensor, choices: list[int], fault, place: int) -> ad.Tensor:
    x = w
    for i, choice in enumerate([*choices, 0]):
        if fault is not None and i == place % (len(choices) + 1):
            x = fault(x)
        x = SMOOTH[choice](x)
    return (x * ad.tensor([[1.0, 2.0], [3.0, 5.0]]) + other).sum()


def leaves() -> tuple[ad.Tensor, ad.Tensor]:
    return ad.tensor([[0.3, -0.7], [1.1, 0.2]], requires_grad=True), ad.ones(2, 2, requires_grad=True)


@pytest.mark.parametrize(("kind", "fault"), PLANTS)
@settings(max_examples=6)
@given(choices=st.lists(st.integers(0, len(SMOOTH) - 1), max_size=5), place=st.integers(0, 5))
def test_what_was_planted_is_named(kind: str, fault, choices: list[int], place: int) -> None:
    w, other = leaves()
    found = ad.explain(w, lambda: program(w, other, choices, fault, place))
    expected = "zero" if kind in ZEROS and kind != "no derivative here" else "None"
    assert f"is {expected}:" in found.summary
    assert {finding.kind for finding in found.findings} == {kind}
    # The line of a Function is where apply() is called.
    first = program.__code__.co_firstlineno if kind == "no derivative here" else fault.__code__.co_firstlineno
    for finding in found.findings:
        if kind != "cancelled here":
            assert finding.line.file == __file__
            assert first <= finding.line.number <= first + 4
    assert not ad.explain(other, lambda: program(w, other, choices, fault, place))
    assert w.grad is None


@given(st.lists(st.integers(0, len(SMOOTH) - 1), max_size=5), st.integers(0, 5))
def test_nothing_is_said_of_healthy_programs(choices: list[int], place: int) -> None:
    w, other = leaves()
    loss = program(w, other, choices, None, place)
    for given_loss in (loss, lambda: program(w, other, choices, None, place)):
        found = ad.explain(w, given_loss)
        assert not found
        assert "as it should be" in found.summary
    loss.backward()
    assert not ad.explain(w, loss)
    assert not ad.explain(w)


def test_never_used_and_not_part_of_the_loss() -> None:
    w, other = leaves()
    assert [f.kind for f in ad.explain(w, lambda: other.sum()).findings] == ["never used"]

    def forgotten() -> ad.Tensor:
        w.exp()
        return other.sum()

    (found,) = ad.explain(w, forgotten).findings
    assert (found.kind, found.line.function) == ("not part of the loss", "forgotten")


def test_both_of_two_cuts_are_named() -> None:
    w, _ = leaves()

    def loss() -> ad.Tensor:
        return w.detach().sum() + under_no_grad(w).sum()

    assert [f.kind for f in ad.explain(w, loss).findings] == ["detached here", "no_grad here"]


def test_memory_that_comes_back_from_numpy() -> None:
    w, other = leaves()
    (found,) = ad.explain(w, lambda: (other * ad.from_numpy((w * 2).detach().numpy())).sum()).findings
    assert found.kind in ("detached here", "detached before here")


def test_writes_in_place_keep_the_path() -> None:
    w, other = leaves()

    def loss() -> ad.Tensor:
        x = ad.zeros(2, 2)
        x[0] = w[1]
        x.mul_(2.0)
        return (x * other).sum()

    assert not ad.explain(w, loss)


def test_without_a_function_the_graph_is_all_there_is() -> None:
    w, other = leaves()
    found = ad.explain(w, (w.detach() * other).sum())
    assert [f.kind for f in found.findings] == ["not in the graph"]
    assert "explain(w, lambda: loss_of(...))" in found.note
    with ad.no_grad():
        loss = (w * other).sum()
    assert [f.kind for f in ad.explain(w, loss).findings] == ["nothing recorded"]
    with ad.trace_lines():
        loss = (w.round() * other).sum()
    (step,) = ad.explain(w, loss).findings
    assert (step.kind, step.line.file) == ("a step function here", __file__)
    loss.backward()
    assert "freed" in ad.explain(w, loss).note


def test_tensors_that_cannot_have_a_gradient() -> None:
    w, other = leaves()
    assert ad.explain(ad.arange(3)).findings[0].kind == "integer here"
    assert ad.explain(ad.ones(3), lambda: other.sum()).findings[0].kind == "frozen"
    with ad.inference_mode():
        assert ad.explain(ad.ones(3)).findings[0].kind == "made in inference_mode"
    loss = (w * other).sum()
    w.requires_grad_(False).requires_grad_()
    assert [f.kind for f in ad.explain(w, loss).findings] == ["frozen in between"]


def test_a_computed_tensor() -> None:
    w, _ = leaves()
    hidden = w * 2
    loss = hidden.sum()
    assert ad.explain(hidden, loss).findings[0].kind == "not a leaf"
    assert ad.explain(hidden).findings[0].kind == "not a leaf"
    hidden.retain_grad()
    assert not ad.explain(hidden, loss)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_gradient_that_is_not_finite() -> None:
    w = ad.tensor([0.0, 4.0], requires_grad=True)
    found = ad.explain(w, lambda: ad.where(w > 0, w.sqrt(), 0.0).sum())
    assert "is not finite:" in found.summary
    assert (found.findings[0].op, found.findings[0].line.file) == ("sqrt", __file__)
    assert "safe form" in found.findings[0].advice


def test_an_optimizer_and_a_model() -> None:
    model, other = nn.Linear(2, 2), nn.Linear(2, 2)
    x = ad.ones(3, 2)

    def loss() -> ad.Tensor:
        return model(x).square().sum()

    optimizer = optim.SGD([model.weight], lr=0.1)
    assert not ad.explain(model.weight, loss, optimizer, model)
    found = ad.explain(model.bias, loss, optimizer, model)
    assert found.summary == "the gradient of bias is as it should be:"
    assert [f.kind for f in found.findings] == ["not in the optimizer"]
    kinds = [f.kind for f in ad.explain(other.weight, loss, optimizer, model).findings]
    assert kinds == ["never used", "not in the optimizer", "not in the model"]
    optimizer.param_groups[0]["lr"] = 0.0
    assert [f.kind for f in ad.explain(model.weight, loss, optimizer).findings] == ["learning rate 0"]
    model.weight.requires_grad_(False)
    assert ad.explain(model.weight, loss, None, model).findings[0].kind == "frozen"


def test_inside_a_checkpoint() -> None:
    w, _ = leaves()
    (found,) = ad.explain(w, lambda: ad.checkpoint(lambda x: (x - 100.0).relu(), w).sum()).findings
    assert found.kind == "dead ReLU"


def test_inside_vmap() -> None:
    w, other = leaves()
    (found,) = ad.explain(w, lambda: (ad.vmap(lambda row: row.detach() * 2)(w) * other).sum()).findings
    assert (found.kind, found.line.function) == ("detached here", "<lambda>")
    (found,) = ad.explain(w, lambda: ad.vmap(lambda row: row * 0.0)(w).sum()).findings
    assert found.kind == "multiplied by zero here"
    assert not ad.explain(w, lambda: ad.vmap(lambda row: row.sin())(w).sum())


def test_a_leaf_made_of_what_was_cut_is_no_path() -> None:
    w, _ = leaves()
    for cut in (lambda: w.detach().requires_grad_(), lambda: (w * 2).detach().requires_grad_()):
        assert [f.kind for f in ad.explain(w, lambda cut=cut: (cut() * 3).sum()).findings] == ["detached here"]


def test_parts_that_were_written_over() -> None:
    w, other = leaves()

    def loss() -> ad.Tensor:
        x = w * 2
        x[:] = other
        return x.sum()

    (found,) = ad.explain(w, loss).findings
    assert found.kind in ("overwritten here", "not part of the loss")


def test_what_it_takes() -> None:
    w, _ = leaves()
    for arguments, message in (((3.0,), "expected a Tensor"), ((w, 3.0), "expected the loss"), ((w, int), "returns")):
        with pytest.raises(TypeError, match=message):
            ad.explain(*arguments)
    with np.errstate(all="raise"):
        assert not ad.explain(w, w.sum())
