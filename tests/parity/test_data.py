"""Loaders and samplers beside PyTorch's: the same batches in the same order, and the same draws at the same moment."""
# ruff: noqa: NPY002 - workers seed NumPy's own generator, which programs written for PyTorch draw from

import random
from collections import OrderedDict, namedtuple
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.utils.data._utils.worker

import autodiff as ad
from autodiff import data
from autodiff.data.worker import seed_generators

# Of PyTorch: more workers than this machine has cores.
pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")
Point = namedtuple("Point", ["x", "y"])
SIDES = [(ad, data), (torch, torch.utils.data)]


def plain(value: Any) -> Any:
    """Tensors as their type, dtype and numbers, so that batches of both sides compare."""
    if isinstance(value, ad.Tensor | torch.Tensor):
        array = value.detach().numpy()
        return "tensor", str(array.dtype), array.shape, array.tolist()
    if isinstance(value, dict):
        return type(value), {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return type(value), [plain(entry) for entry in value]
    return value


def on_both(program: Callable[[Any, Any], Any], seed: int = 3) -> Any:
    """What `program` gives on either side from the same seed: equal, and so must be the state of the generator."""
    results = []
    for m, d in SIDES:
        m.manual_seed(seed)
        results.append((plain(program(m, d)), np.asarray(m.get_rng_state()).tolist()))
    assert results[0] == results[1]
    return results[0][0]


def epochs(loader: Any, count: int = 3) -> list[Any]:
    return [list(loader) for _ in range(count)]


@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"shuffle": True},
        {"batch_size": 4, "shuffle": True},
        {"batch_size": 4, "shuffle": True, "drop_last": True},
        {"batch_size": None, "shuffle": True},
        {"batch_size": 100},
    ],
    ids=str,
)
def test_batches_and_draws_of_loaders(options: dict[str, Any], workers: int) -> None:
    def program(m: Any, d: Any) -> Any:
        table = d.TensorDataset(m.arange(22.0).reshape(11, 2), m.arange(11))
        return epochs(d.DataLoader(table, num_workers=workers, **options), 2)

    on_both(program)


def test_a_generator_of_one_s_own_gives_order_and_seeds() -> None:
    def program(m: Any, d: Any) -> Any:
        generator = m.Generator().manual_seed(7)
        loader = d.DataLoader(range(10), batch_size=3, shuffle=True, generator=generator)
        return epochs(loader), np.asarray(generator.get_state()).tolist()

    on_both(program)


def test_draws_between_the_batches_and_a_loop_that_breaks_off() -> None:
    def program(m: Any, d: Any) -> Any:
        seen = []
        for workers in (0, 2):
            for batch in d.DataLoader(range(40), batch_size=3, shuffle=True, num_workers=workers):
                seen.append((batch, m.rand(2)))
                if len(seen) % 5 == 0:
                    break
        return seen

    on_both(program)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("persistent", [False, True])
def test_epochs_with_draws_in_the_sampler(workers: int, persistent: bool) -> None:
    def program(m: Any, d: Any) -> Any:
        sampler = d.RandomSampler(range(10), replacement=True, num_samples=70, generator=m.Generator().manual_seed(1))
        options = {"persistent_workers": persistent} if workers else {}
        loader = d.DataLoader(range(10), batch_size=7, sampler=sampler, num_workers=workers, **options)
        found = [*epochs(loader, 2), *epochs(d.DataLoader(range(10), shuffle=True, num_workers=workers, **options), 2)]
        del loader
        return found

    on_both(program)


@pytest.mark.parametrize(
    "make",
    [
        lambda m, d: d.SequentialSampler(range(4)),
        lambda m, d: d.RandomSampler(range(9)),
        lambda m, d: d.RandomSampler(range(9), num_samples=4),
        lambda m, d: d.RandomSampler(range(9), num_samples=20),
        lambda m, d: d.RandomSampler(range(9), replacement=True),
        lambda m, d: d.RandomSampler(range(9), replacement=True, num_samples=64),
        lambda m, d: d.RandomSampler(range(9), replacement=True, num_samples=100),
        lambda m, d: d.SubsetRandomSampler([5, 7, 11, 13]),
        lambda m, d: d.SubsetRandomSampler(range(20), generator=m.Generator().manual_seed(5)),
        lambda m, d: d.WeightedRandomSampler([0.1, 0.9, 0.4, 7.0, 3.0, 0.6], 50),
        lambda m, d: d.WeightedRandomSampler([0.25, 0.75], 50),
        lambda m, d: d.WeightedRandomSampler([0, 9, 0, 1, 3], 3, replacement=False),
        lambda m, d: d.WeightedRandomSampler([2, 9, 4, 1, 3], 1),
        lambda m, d: d.WeightedRandomSampler(m.arange(100.0), 80, False, m.Generator().manual_seed(5)),
        lambda m, d: d.BatchSampler(d.RandomSampler(range(10)), 4, False),
        lambda m, d: d.BatchSampler(d.RandomSampler(range(10)), 4, True),
        *(
            lambda m, d, n=n, drop=drop, shuffle=shuffle: d.DistributedSampler(
                range(n), 4, 2, shuffle=shuffle, seed=3, drop_last=drop
            )
            for n in (3, 8, 11)
            for drop in (False, True)
            for shuffle in (False, True)
        ),
    ],
)
def test_samplers(make: Callable[[Any, Any], Any]) -> None:
    def program(m: Any, d: Any) -> Any:
        sampler = make(m, d)
        return len(sampler), list(sampler), list(sampler)

    on_both(program)


@pytest.mark.parametrize("lengths", [[3, 7], [0.3, 0.7], [0.5, 0.25, 0.25], [1 / 3, 1 / 3, 1 / 3], [10]])
def test_random_split(lengths: list[float]) -> None:
    def program(m: Any, d: Any) -> Any:
        parts = d.random_split(range(10), lengths) + d.random_split(range(10), lengths, m.Generator().manual_seed(42))
        return [list(part) for part in parts]

    on_both(program)


@pytest.mark.parametrize(
    "batch",
    [
        [1, 2, 3],
        [True, False],
        [1.5, 2.0],
        ["a", "b"],
        [b"a", b"b"],
        [np.float32(1.5), np.float32(2.5)],
        [np.float64(1.5), np.float64(2.5)],
        [np.int16(1), np.int16(2)],
        [np.arange(3), np.arange(3)],
        [np.array(2.0), np.array(3.0)],
        [(1, 2.0), (3, 4.0)],
        [[1, 2], [3, 4]],
        [Point(1, [0.5, 1.0]), Point(2, [1.5, 2.0])],
        [{"x": 1, "y": "a"}, {"x": 2, "y": "b"}],
        [OrderedDict(x=(1, 2)), OrderedDict(x=(3, 4))],
        [range(2), range(2)],
    ],
    ids=repr,
)
def test_collating(batch: list[Any]) -> None:
    on_both(lambda m, d: d.default_collate(batch))
    on_both(lambda m, d: d.default_convert(batch[0]))
    on_both(lambda m, d: list(d.DataLoader(batch, batch_size=2)))


def test_collating_tensors() -> None:
    on_both(lambda m, d: d.default_collate([m.ones(2, 3), m.zeros(2, 3)]))
    on_both(lambda m, d: d.default_collate([m.tensor(1), m.tensor(2)]))
    on_both(lambda m, d: d.default_collate([(m.ones(2), {"y": m.tensor(2.0)}), (m.ones(2), {"y": m.tensor(3.0)})]))


@pytest.mark.parametrize("batch", [[[1], [1, 2]], [object()], [np.array(["a"])], [None]])
def test_what_cannot_be_collated_is_an_error_on_both_sides(batch: list[Any]) -> None:
    kinds = []
    for _, d in SIDES:
        with pytest.raises((RuntimeError, TypeError)) as caught:
            d.default_collate(batch)
        kinds.append(caught.type)
    assert kinds[0] == kinds[1]


@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize("batch_size", [None, 4])
@pytest.mark.parametrize("drop_last", [False, True])
def test_streams(workers: int, batch_size: int | None, drop_last: bool) -> None:
    def program(m: Any, d: Any) -> Any:
        class Stream(d.IterableDataset):
            def __iter__(self) -> Iterator[int]:
                info = d.get_worker_info()
                return iter(range(0 if info is None else info.id, 20, 1 if info is None else info.num_workers))

        options = {"drop_last": drop_last} if batch_size else {}
        return epochs(d.DataLoader(Stream(), batch_size=batch_size, num_workers=workers, **options), 2)

    on_both(program)


def test_draws_inside_workers() -> None:
    def program(m: Any, d: Any) -> Any:
        class Noise(d.Dataset):
            def __len__(self) -> int:
                return 8

            def __getitem__(self, index: int) -> Any:
                return m.rand(1), random.random(), np.random.rand(), d.get_worker_info().seed

        return epochs(d.DataLoader(Noise(), batch_size=2, num_workers=2), 2)

    on_both(program)


@pytest.mark.parametrize("base_seed", [0, 1, 2**32 + 5, 2**63 - 1])
def test_seeds_of_workers(base_seed: int) -> None:
    assert seed_generators(base_seed, 3) == base_seed + 3
    found = np.random.bytes(100), random.random()
    np.random.seed(torch.utils.data._utils.worker._generate_state(base_seed, 3))
    random.seed(base_seed + 3)
    assert found == (np.random.bytes(100), random.random())


def test_datasets_made_of_others() -> None:
    def program(m: Any, d: Any) -> Any:
        table = d.TensorDataset(m.arange(6).reshape(6, 1), m.arange(6.0))
        parts = [d.Subset(table, [4, 1]), table + table, d.StackDataset(table, range(6)), d.StackDataset(a=table)]
        return [list(d.DataLoader(part, batch_size=4)) for part in parts]

    on_both(program)


def test_errors_of_workers() -> None:
    def program(m: Any, d: Any) -> Any:
        class Broken(d.Dataset):
            def __len__(self) -> int:
                return 4

            def __getitem__(self, index: int) -> int:
                if index == 2:
                    raise KeyError("no such file")
                return index

        batches = iter(d.DataLoader(Broken(), num_workers=2))
        seen: list[Any] = [next(batches), next(batches)]
        with pytest.raises(KeyError) as caught:
            next(batches)
        seen.append(str(caught.value).split("\n")[0])
        return [*seen, next(batches)]

    on_both(program)
