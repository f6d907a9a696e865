"""`nn.summary`: shapes, counts worked out by hand, and that the model is left as it was."""

import pytest

import autodiff as ad
import nn
from autodiff.tensor import Tensor


def test_linear_and_convolution() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(128, 5))
    table = nn.summary(model, ad.zeros(2, 3, 4, 4))
    conv, norm, relu, flatten, linear = table.rows[1:]
    assert conv.output_shapes == ((2, 8, 4, 4),)
    assert conv.parameters == 8 * 3 * 9 + 8
    assert conv.multiply_adds == 2 * 8 * 16 * 3 * 9
    assert conv.activation_bytes == 2 * 8 * 16 * 4
    assert (norm.parameters, norm.multiply_adds) == (16, 0)
    assert (flatten.path, flatten.layer, flatten.activation_bytes) == ("3", "Flatten", 0)
    assert linear.multiply_adds == 2 * 128 * 5
    assert table.parameters == sum(row.parameters for row in table.rows) == table.trainable_parameters
    assert table.multiply_adds == conv.multiply_adds + linear.multiply_adds
    assert relu.path == "2"
    assert "  4 (Linear)" in str(table)


@pytest.mark.parametrize(
    ("layer", "shapes", "expected"),
    [
        (nn.Conv1d(4, 6, 3, groups=2), [(2, 4, 10)], 2 * 6 * 8 * (2 * 3)),
        (nn.ConvTranspose1d(4, 6, 3), [(2, 4, 10)], 2 * 4 * 10 * (6 * 3)),
        (nn.Bilinear(2, 3, 4), [(5, 2), (5, 3)], 5 * 4 * 2 * 3),
        (nn.LSTM(3, 5), [(7, 2, 3)], 7 * 2 * 4 * 5 * (3 + 5)),
        (nn.GRUCell(3, 5), [(2, 3)], 2 * 3 * 5 * (3 + 5)),
        (nn.MultiheadAttention(4, 2), [(3, 2, 4), (5, 2, 4), (5, 2, 4)], 2 * 16 * (3 + 5 + 5 + 3) + 2 * 2 * 3 * 5 * 4),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else None,
)  # fmt: skip
def test_multiply_adds(layer: nn.Module, shapes: list[tuple[int, ...]], expected: int) -> None:
    assert nn.summary(layer, tuple(ad.zeros(shape) for shape in shapes)).multiply_adds == expected


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def forward(self, x: Tensor, *, times: int = 2) -> Tensor:
        for _ in range(times):
            x = self.layer(x)
        return x


def test_a_layer_called_twice_has_its_parameters_once() -> None:
    rows = nn.summary(Twice(), ad.zeros(1, 2), times=3).rows
    assert [row.path for row in rows] == ["", "layer", "layer", "layer"]
    assert [row.parameters for row in rows] == [0, 6, 0, 0]


def test_the_model_is_left_as_it_was() -> None:
    model = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout())
    model[1].eval()
    nn.summary(model, ad.ones(4, 2))
    assert model[0].num_batches_tracked.item() == 0
    assert [module.training for module in model.modules()] == [True, True, False]
    model(ad.ones(4, 2))
    assert not any("_call_hooks" in module.__dict__ for module in model.modules())
    with pytest.raises(RuntimeError, match="BatchNorm1d"):
        nn.summary(model, ad.ones(4, 3))
    assert model.training
