# Values.


def test_numpy_warnings() -> None:
    for call, value in (
        (lambda: ad.log(ad.tensor(0.0)), -np.inf),
        (lambda: ad.exp(ad.tensor(1000.0)), np.inf),
        (lambda: ad.tensor(1.0) / 0, np.inf),
    ):
        with pytest.warns(RuntimeWarning, match=r"divide by zero|overflow"):
            assert call().item() == value
        with np.errstate(all="ignore"):
            assert call().item() == value


def test_nan_stays() -> None:
    assert np.isnan(ad.sign(ad.tensor(np.nan)).item())
    assert np.isnan(grad_at(ad.abs, np.nan)[0])
    assert grad_at(lambda x: x.clamp(0, 1), np.nan) == [1.0]
    assert grad_at(ad.amax, 1.0, np.nan) == grad_at(ad.max, 1.0, np.nan) == [0.0, 1.0]


def test_outside_the_domain() -> None:
    with np.errstate(invalid="ignore"):
        assert np.isnan(ad.acosh(ad.tensor(-2.0)).item())
        assert np.isnan(grad_at(ad.acosh, -2.0)[0])


def test_integer_powers() -> None:
    for call in (lambda: 2 ** ad.tensor([-1]), lambda: ad.tensor([2]) ** -1, lambda: ad.tensor([2]) ** ad.tensor([-1])):
        with pytest.raises(OpError, match="pow"):
            call()


def test_inverse_roots() -> None:
    with np.errstate(divide="ignore"):
        assert (ad.tensor([-0.0, -np.inf]) ** -0.5).tolist() == [np.inf, 0.0]


def test_arithmetic_of_bools() -> None:
    mask = ad.tensor([False, True])
    assert (ad.tensor([1.0, 2.0]) - True).tolist() == [0.0, 1.0]
    assert (mask - 1).tolist() == [-1, 0]
    for function in (ad.abs, ad.floor, ad.ceil, ad.round, ad.trunc, ad.relu):
        assert function(mask).tolist() == [False, True]
    assert mask.argmax().item() == 1
    assert mask.clamp(max=True).tolist() == [0, 1]
    assert (mask**True).dtype == mask.square().dtype == ad.int8
    for call in (lambda: mask - mask, lambda: -mask):
        with pytest.raises((TypeError, RuntimeError), match="bool"):
            call()


def test_any_and_all() -> None:
    x = ad.tensor([[True, False]])
    assert x.any(dim=()).shape == x.all(dim=()).shape == ()
    assert ad.ones(2, dtype=ad.uint8).all().dtype == ad.ones(2, dtype=ad.uint8).any(0).dtype == ad.bool


def test_steps_have_slope_0() -> None:
    assert grad_at(lambda x: x // 2, 3.0) == [0.0]
    assert grad_at(lambda x: 7 % x, 3.0) == [-2.0]


def test_compared_dtypes() -> None:
    assert ad.allclose(ad.tensor([1]), ad.tensor([1.0]))


def test_conditions_are_bool() -> None:
    with pytest.raises(OpError, match=r"uint8.*condition != 0"):
        ad.where(ad.ones(1, dtype=ad.uint8), 1.0, 2.0)


# Indices and joins.


def test_negative_steps() -> None:
    x = ad.arange(3)
    assert x[::-1].tolist() == [2, 1, 0]
    assert np.shares_memory(x[::-1].array, x.array)


def test_small_integers_as_index() -> None:
    for dtype in (ad.uint8, ad.int8, ad.int16):
        with pytest.raises(IndexError, match=rf"{dtype}.*(long|bool)"):
            ad.arange(3)[ad.tensor([0, 1], dtype=dtype)]


def test_assigned_dtypes() -> None:
    x = ad.zeros(3)
    x[[0, 1]] = ad.tensor([1, 2])
    x[2:] = ad.tensor(3, dtype=ad.float64)
    assert x.tolist() == [1.0, 2.0, 3.0]


def test_gather_dimensions() -> None:
    with pytest.raises(RuntimeError, match="1 dimensions"):
        ad.arange(3).gather(0, ad.tensor(1))


def test_empty_vectors_in_cat() -> None:
    empty, x = ad.ones(0, requires_grad=True), ad.ones(2, 3, requires_grad=True)
    joined = ad.cat([empty, x])
    assert joined.shape == (2, 3)
    with pytest.raises(RuntimeError, match="not used"):
        ad.grad(joined.sum(), [empty, x])
