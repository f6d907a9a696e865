"""An error inside a model names the module and the shapes that led there."""

import pytest

import autodiff as ad
import nn
from autodiff.op import OpError
from autodiff.tensor import Tensor


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.linear(x)
        return result


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), Block())

    def forward(self, x: Tensor, lengths: list[Tensor] | None = None, *, mask: Tensor | None = None) -> Tensor:
        result: Tensor = self.encoder(x)
        return result


def test_the_path_and_the_shapes_on_the_way() -> None:
    with pytest.raises(OpError) as error:
        Model()(ad.zeros(8, 10), [ad.zeros(8)], mask=None)
    assert str(error.value).splitlines() == [
        "encoder.2.linear (Linear): expected input (*, 64), got (8, 32)",
        "The inputs on the way there:",
        "  Model got (8, 10), [(8,)], mask=NoneType",
        "  encoder (Sequential) got (8, 10)",
        "  encoder.2 (Block) got (8, 32)",
        "  encoder.2.linear (Linear) got (8, 32)",
    ]


def test_a_module_alone() -> None:
    with pytest.raises(OpError) as error:
        nn.Linear(2, 1)(ad.zeros(4, 3))
    assert str(error.value) == "Linear: expected input (*, 2), got (4, 3)"


def test_the_engine_s_own_explanation_is_kept() -> None:
    with pytest.raises(OpError, match=r"^Linear: linear: expected input, weight and bias of one dtype, got float64, "):
        nn.Linear(2, 1)(ad.zeros(4, 2, dtype=ad.float64))
    with pytest.raises(AttributeError, match=r"^encoder.0 \(Linear\): "):
        Model()([1.0, 2.0])


def test_an_error_that_is_caught_inside_leaves_no_trace() -> None:
    class Fallback(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.strict = nn.Linear(2, 1)

        def forward(self, x: Tensor) -> Tensor:
            try:
                result: Tensor = self.strict(x)
            except OpError:
                result = x
            return result

    x = ad.zeros(1, 3)
    assert Fallback()(x) is x


def test_a_module_that_is_not_registered_is_named_by_its_class() -> None:
    hidden = nn.Sequential(nn.Linear(2, 1))

    class Outer(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            result: Tensor = hidden(x)
            return result

    with pytest.raises(OpError) as error:
        Outer()(ad.zeros(1, 3))
    assert str(error.value).splitlines() == [
        "0 (Linear): expected input (*, 2), got (1, 3)",
        "The inputs on the way there:",
        "  Outer got (1, 3)",
        "  Sequential got (1, 3)",
        "  0 (Linear) got (1, 3)",
    ]


def test_an_error_of_the_user_s_own_class_keeps_its_content_and_gets_a_note() -> None:
    class Stop(Exception):
        pass

    class Stopping(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise Stop("enough", 3)

    with pytest.raises(Stop) as error:
        nn.Sequential(Stopping())(ad.zeros(1))
    assert error.value.args == ("enough", 3)
    assert error.value.__notes__ == [
        "raised in 0 (Stopping)\nThe inputs on the way there:\n  Sequential got (1,)\n  0 (Stopping) got (1,)"
    ]
