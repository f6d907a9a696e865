# Values.


def test_numpy_warnings() -> None:
    # The suite turns warnings into errors.
    assert torch.log(torch.tensor(0.0)).item() == -np.inf
    assert torch.exp(torch.tensor(1000.0)).item() == np.inf
    assert (torch.tensor(1.0) / 0).item() == np.inf


def test_nan_stays() -> None:
    assert torch.sign(torch.tensor(np.nan)).item() == 0
    assert grad_at(torch.abs, np.nan) == grad_at(lambda x: x.clamp(0, 1), np.nan) == [0.0]
    assert np.isnan(grad_at(torch.amax, 1.0, np.nan)).all()
    assert grad_at(torch.max, 1.0, np.nan) == [0.0, 1.0]


def test_outside_the_domain() -> None:
    assert np.isfinite(grad_at(torch.acosh, -2.0)[0])


def test_integer_powers() -> None:
    assert (2 ** torch.tensor([-1])).tolist() == [0]
    with pytest.raises(RuntimeError):
        torch.tensor([2]) ** -1


def test_inverse_roots() -> None:
    roots = torch.tensor([-0.0, -np.inf]) ** -0.5
    assert roots[0].item() == -np.inf
    assert roots[1].isnan()


def test_arithmetic_of_bools() -> None:
    mask = torch.tensor([False, True])
    for call in (
        lambda: torch.ones(2) - True,
        lambda: mask - mask,
        lambda: -mask,
        lambda: mask**mask,
        lambda: mask // mask,
        lambda: mask.argmax(),
        lambda: mask.clamp(max=True),
        *(lambda name=name: getattr(mask, name)() for name in ("abs", "floor", "ceil", "round", "trunc", "relu")),
    ):
        with pytest.raises((RuntimeError, NotImplementedError)):
            call()
    assert (mask**True).dtype == torch.bool
    assert mask.square().dtype == torch.int64


def test_any_and_all() -> None:
    x = torch.tensor([[True, False]])
    assert x.any(dim=()).shape == x.all(dim=()).shape == (1, 2)
    assert torch.ones(2, dtype=torch.uint8).all().dtype == torch.uint8


def test_steps_have_slope_0() -> None:
    for function in (lambda x: x // 2, lambda x: 7 % x):
        with pytest.raises(RuntimeError, match="not implemented"):
            grad_at(function, 3.0)


def test_compared_dtypes() -> None:
    with pytest.raises(RuntimeError):
        torch.allclose(torch.tensor([1]), torch.tensor([1.0]))


def test_conditions_are_bool() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert torch.where(torch.ones(1, dtype=torch.uint8), 1.0, 2.0).item() == 1.0


# Indices and joins.


def test_negative_steps() -> None:
    with pytest.raises(ValueError, match="step"):
        torch.arange(3)[::-1]


def test_small_integers_as_index() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert torch.arange(3)[torch.tensor([0, 1, 0], dtype=torch.uint8)].tolist() == [1]


def test_assigned_dtypes() -> None:
    x = torch.zeros(3)
    x[0:2] = torch.tensor([1, 2])
    with pytest.raises(RuntimeError, match="dtypes match"):
        x[[0, 1]] = torch.tensor([1, 2])


def test_gather_dimensions() -> None:
    assert torch.arange(3).gather(0, torch.tensor(1)).item() == 1


def test_empty_vectors_in_cat() -> None:
    empty, x = torch.ones(0, requires_grad=True), torch.ones(2, 3, requires_grad=True)
    assert torch.autograd.grad(torch.cat([empty, x]).sum(), [empty, x])[0].shape == (0,)
