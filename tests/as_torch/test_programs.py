"""Programs written for PyTorch, on this engine in a process of their own; tests/parity runs others beside PyTorch."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import argparse, torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.autograd import Variable
from torch.utils.data import DataLoader, TensorDataset
from torch.optim.lr_scheduler import StepLR

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int)
steps = parser.parse_args().steps
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
torch.manual_seed(1)
model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.3), nn.Tanh(), nn.Linear(8, 3)).to(device)
optimizer = optim.Adam(model.parameters(), lr=1e-2)
schedule = StepLR(optimizer, 1, 0.5)
x, y = torch.randn(64, 4, device=device), torch.randint(0, 3, (64,))
print(x.shape, x.shape[1:], x.device, torch.tensor([1.0], dtype=torch.float64))
for step, (some, labels) in zip(range(steps), DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True)):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(Variable(some)), labels)
    loss.backward()
    optimizer.step()
    print(step, f"{loss.item():.6f}")
print(isinstance(x, torch.FloatTensor), isinstance(y, torch.LongTensor), torch.relu_(torch.tensor([-1.0, 2.0])))
"""
# What PyTorch 2.13 prints for the same program.
PRINTED = """\
torch.Size([64, 4]) torch.Size([4]) cpu tensor([1.], dtype=torch.float64)
0 1.140152
1 1.069289
2 1.249665
True True tensor([0., 2.])
"""


def run(tmp_path: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "program.py"
    file.write_text(program)
    command = [sys.executable, "-m", "autodiff.as_torch", str(file), *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=100)


def test_a_program_prints_what_it_prints_on_pytorch(tmp_path: Path) -> None:
    found = run(tmp_path, PROGRAM, "--steps", "3")
    assert found.stderr == ""
    assert found.stdout == PRINTED


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("import torch; torch.library", "AttributeError: torch.library is not part of this engine"),
        ("from torch.nn.utils import clip_grad_nrm_", "torch.nn.utils.clip_grad_nrm_ is not part of this engine"),
        ("import torch; torch.ones(2, dtype=torch.bfloat16)", "float32, float64; got torch.bfloat16"),
        ("import torch.fx", "ModuleNotFoundError: torch.fx is not part of this engine"),
        ("import torch.onnx, torchvision.models as m; m.resnet18", "torchvision.models.resnet18 is not part of this"),
        ("from torch import fx", "ModuleNotFoundError: torch.fx is not part of this engine"),
        ("from torch.optim import Nothing", "ModuleNotFoundError: torch.optim.Nothing is not part of this engine"),
        ("from torchvision.models import resnet18", "resnet18 is not part of this engine: define the network with nn"),
        ("import torchvision as v; v.models.resnet18()", "torchvision.models.resnet18 is not part of this engine: def"),
        ("from torchvision.ops import nms", "torchvision.ops.nms is not part of this engine: compute it with op"),
        ("from torchvision.io import read_image", "read_image is not part of this engine: read images by Pillow"),
        (
            "from torchvision.datasets import MNIST, CIFAR10; type('Mine', (CIFAR10,), {})('folder', train=True)",
            "torchvision.datasets.CIFAR10 is not part of this engine: read its images with ImageFolder",
        ),
        ("import torch; torch.complex64", "complex tensors are outside"),
        ("import torch; torch.ones(2).cuda()", "Torch not compiled with CUDA enabled"),
        ("import torch; torch.device('gpu')", "RuntimeError: expected one of cpu, cuda"),
        ("import torch; torch.ones(2, device='cuda')", "expected device 'cpu'"),
    ],
)
def test_what_is_not_there_is_named(tmp_path: Path, line: str, error: str) -> None:
    found = run(tmp_path, line)
    assert found.returncode == 1
    assert error in found.stderr.splitlines()[-1]


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "autodiff.as_torch", str(tmp_path / "none.py")]
    found = subprocess.run(command, check=False, capture_output=True, text=True, timeout=100)
    assert found.returncode == 1
    assert "there is no program" in found.stderr


def test_install_refuses_where_pytorch_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import torch; from autodiff.as_torch import *; install()"
    )
    found = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=100)
    assert found.returncode == 1
    assert "the real PyTorch is imported already" in found.stderr


def test_images_of_mnist_are_found_and_written_once(tmp_path: Path) -> None:
    program = """
from torchvision import datasets, transforms
from torchvision.utils import make_grid, save_image
import sys, torch
steps = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
first = datasets.MNIST(sys.argv[1], train=True, download=True, transform=steps)
again = datasets.MNIST(sys.argv[1], train=False, transform=steps)
print(len(first), len(again), first[0][0].shape, first[0][1])
save_image(make_grid(torch.stack([again[i][0] for i in range(6)]), nrow=3, normalize=True), sys.argv[1] + "/grid.png")
"""
    found = run(tmp_path, program, str(tmp_path))
    assert found.stderr == ""
    assert found.stdout == "4000 1000 torch.Size([1, 28, 28]) 0\n"
    assert (tmp_path / "grid.png").stat().st_size > 500


def test_softmax_guesses_its_axis_as_pytorch_does(tmp_path: Path) -> None:
    program = """
import torch, torch.nn as nn, torch.nn.functional as F
for shape in ((3,), (2, 3), (2, 3, 2), (2, 3, 1, 2)):
    x = torch.arange(float(torch.Size(shape).numel())).reshape(shape)
    def axis(y, form):
        return [dim for dim in range(x.ndim) if torch.equal(y, form(x, dim))]
    print(axis(nn.Softmax()(x), torch.softmax), axis(F.log_softmax(x), torch.log_softmax))
print(nn.Softmin(), torch.randint(5, size=(2,)).shape)
"""
    found = run(tmp_path, program)
    assert found.stdout == "[0] [0]\n[1] [1]\n[0] [0]\n[1] [1]\nSoftmin(dim=None) torch.Size([2])\n"
    assert "program.py:7: UserWarning: Implicit dimension choice for log_softmax" in found.stderr


def test_distributions(tmp_path: Path) -> None:
    program = """
import torch
from torch.distributions import Normal, kl_divergence
torch.manual_seed(0)
policy = torch.distributions.categorical.Categorical(torch.tensor([0.25, 0.25, 0.5]))
action = policy.sample()
print(action, policy.log_prob(action), policy, policy.entropy())
print(kl_divergence(Normal(torch.zeros(2), torch.ones(2)), Normal(torch.ones(2), torch.ones(2))))
print(torch.distributions.Gamma(0.5, 2.0).sample((2,)), torch.distributions.Uniform(2, 3).rsample())
"""
    # What PyTorch 2.13 prints for the same program.
    printed = """\
tensor(2) tensor(-0.6931) Categorical(probs: torch.Size([3]), logits: torch.Size([3])) tensor(1.0397)
tensor([0.5000, 0.5000])
tensor([0.0011, 0.0451]) tensor(2.1610)
"""
    assert run(tmp_path, program).stdout == printed


def test_what_is_printed_of_dtypes_states_and_results_along_an_axis(tmp_path: Path) -> None:
    program = """
import copy, pickle, torch, torch.nn as nn
x = torch.eye(2, requires_grad=True)
print(x.dtype, [torch.long], x.dtype is torch.float, {torch.float: 1}[x.dtype], isinstance(x.dtype, torch.dtype))
print(x.to(torch.float64).dtype, x.new_zeros(1, dtype=torch.int32), x.detach().view(torch.int32).dtype)
print(pickle.loads(pickle.dumps(x.dtype)) is copy.copy(x.dtype), torch.get_default_dtype(), torch.finfo(x.dtype).eps)
print(nn.Linear(1, 1).state_dict().__class__, nn.ParameterList([nn.Parameter(x.detach())]))
print(nn.ParameterDict({"a": nn.Parameter(x.detach())}))
print(x.detach().max(1), type(torch.sort(x, 1)), x.max(), torch.max(x, x).shape)
print(torch.version.cuda, torch.autograd.gradcheck.__name__, torch.autocast("cpu").__class__.__name__)
print(torch.linalg.slogdet(torch.eye(2)), isinstance(torch.eye(2).aminmax(), torch.return_types.aminmax))
print(torch.broadcast_shapes((2, 1), 3), torch.Generator().set_state(torch.get_rng_state()).device.type)
print(isinstance(x.sum().grad_fn, torch.autograd.graph.Node))
"""
    assert (
        run(tmp_path, program).stdout
        == """\
torch.float32 [torch.int64] True 1 True
torch.float64 tensor([0], dtype=torch.int32) torch.int32
True torch.float32 1.1920928955078125e-07
<class 'collections.OrderedDict'> ParameterList(  (0): Parameter containing: [torch.float32 of size 2x2])
ParameterDict(  (a): Parameter containing: [torch.FloatTensor of size 2x2])
torch.return_types.max(
values=tensor([1., 1.]),
indices=tensor([0, 1])) <class 'torch.return_types.sort'> tensor(1., grad_fn=<MaxBackward1>) torch.Size([2, 2])
None gradcheck autocast
torch.return_types.linalg_slogdet(
sign=tensor(1.),
logabsdet=tensor(0.)) True
torch.Size([2, 3]) cpu
True
"""
    )


def test_names_that_programs_import_from_where_pytorch_has_them(tmp_path: Path) -> None:
    program = """
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.types import Number, Device
from torch.nn.common_types import _size_2_t
from torch.autograd.grad_mode import no_grad
from torch.optim.swa_utils import SWALR, AveragedModel, get_ema_multi_avg_fn
from torch.random import fork_rng, manual_seed
from torch.utils.hooks import RemovableHandle
from torch.nn.utils.stateless import functional_call
from torch.jit import Final, annotate
with sdpa_kernel([SDPBackend.MATH, SDPBackend.FLASH_ATTENTION]):
    print(torch.nn.functional.scaled_dot_product_attention(*[torch.ones(1, 1, 2, 2)] * 3).sum())
manual_seed(0)
with fork_rng(), no_grad():
    print(torch.rand(1))
print(torch.rand(1), torch.compiler.is_compiling(), annotate(int, 3), SDPBackend.MATH)
"""
    assert (
        run(tmp_path, program).stdout
        == """\
tensor(4.)
tensor([0.4963])
tensor([0.4963]) False 3 SDPBackend.MATH
"""
    )


def test_an_optimizer_a_loss_and_a_schedule_of_the_programs_own(tmp_path: Path) -> None:
    program = """
import torch, torch.nn as nn
from torch.nn.modules.loss import _Loss
from torch.nn.modules.utils import _pair
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.lr_scheduler import _LRScheduler
from torch.optim.optimizer import Optimizer
dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16}["float32"]
class Momentum(Optimizer):
    def __init__(self, params, lr=0.1):
        super().__init__(params, dict(lr=lr))
    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if len(state) == 0:
                    state["buffer"] = torch.zeros_like(p, memory_format=torch.preserve_format)
                state["buffer"].mul_(0.9).add_(p.grad)
                p.add_(state["buffer"], alpha=-group["lr"])
class Squares(_Loss):
    def forward(self, x):
        return x.square().mean() if self.reduction == "mean" else x.square().sum()
class Linearly(_LRScheduler):
    def get_lr(self):
        return [lr * (1 - self.last_epoch / 4) for lr in self.base_lrs]
w = torch.ones(2, dtype=dtype, layout=torch.strided, pin_memory=False, requires_grad=True)
optimizer = Momentum([w])
schedule = Linearly(optimizer)
for _ in range(2):
    optimizer.zero_grad()
    loss = Squares(reduction="sum")(w)
    loss.backward()
    optimizer.step()
    schedule.step()
print(w, schedule.get_last_lr(), _pair(3), isinstance(nn.BatchNorm2d(1), _BatchNorm))
print(nn.init._calculate_fan_in_and_fan_out(torch.ones(2, 3)), w.new(1, 2).shape, len(nn.ReLU()._forward_hooks))
print(loss.grad_fn.next_functions[0][0].next_functions[0][0].variable is w, torch.bfloat16, w.dtype == torch.bfloat16)
"""
    assert (
        run(tmp_path, program).stdout
        == """\
tensor([0.5450, 0.5450], requires_grad=True) [0.05] (3, 3) True
(3, 2) torch.Size([1, 2]) 0
True torch.bfloat16 False
"""
    )


def test_functions_that_programs_rarely_use(tmp_path: Path) -> None:
    program = """
import numpy as np
import torch
print(torch.gcd(torch.tensor([4, 9]), torch.tensor(6)), torch.lcm(torch.tensor(4), torch.tensor(6)))
print(torch.nextafter(torch.tensor(1.0), torch.tensor(2.0)) > 1, torch.is_nonzero(torch.tensor([0.0])))
print(torch.range(0, 4), torch.range(1, 2, 0.5), torch.range(0, 2, dtype=torch.int64))
print(torch.frombuffer(bytearray(b"ab"), dtype=torch.uint8), torch.from_dlpack(np.ones(2)))
print(torch.vander(torch.tensor([2, 3]), 3), torch.vander(torch.tensor([2, 3]), increasing=True))
"""
    assert (
        run(tmp_path, program).stdout
        == """\
tensor([2, 3]) tensor(12)
tensor(True) False
tensor([0., 1., 2., 3., 4.]) tensor([1.0000, 1.5000, 2.0000]) tensor([0, 1, 2])
tensor([97, 98], dtype=torch.uint8) tensor([1., 1.], dtype=torch.float64)
tensor([[4, 2, 1],
        [9, 3, 1]]) tensor([[1, 2],
        [1, 3]])
"""
    )


def test_results_of_one_kind_are_close_or_not(tmp_path: Path) -> None:
    program = """
import torch
from torch.testing import assert_close
ones = torch.ones(2)
assert_close({"a": [ones, 1.0]}, {"a": [ones + 1e-7, 1.0]})
for actual, expected, options in [
    (ones, ones + 1, {"msg": "far"}), (ones, ones + 1, {"msg": lambda text: text.split()[0]}),
    (ones, ones.double(), {}), (ones.numpy(), ones, {}), (ones, 1.0, {}), (True, 1, {}), ("a", "a", {}),
    (ones, ones, {"rtol": 0.1}), (torch.nn.Parameter(ones), ones, {"allow_subclasses": False}),
    ([1], [1, 2], {}), ({"a": 1}, {"b": 1}, {}),
]:
    try:
        print(assert_close(actual, expected, **options))
    except Exception as error:
        print(type(error).__name__, error)
"""
    assert (
        run(tmp_path, program).stdout
        == """\
AssertionError far
AssertionError Not
AssertionError expected the dtype float64, got float32
TypeError assert_close: expected two tensors, two arrays or two numbers, got ndarray and Tensor; convert one of them
TypeError assert_close: expected two tensors, two arrays or two numbers, got Tensor and float; convert one of them
TypeError assert_close: expected two tensors, two arrays or two numbers, got bool and int; convert one of them
TypeError assert_close: expected two tensors, two arrays or two numbers, got str and str; convert one of them
ValueError assert_close: expected both rtol and atol, or neither, got rtol=0.1 and atol=None
TypeError assert_close: expected two tensors, two arrays or two numbers, got Parameter and Tensor; convert one of them
AssertionError expected 2 elements, got 1
AssertionError expected the keys ['b'], got ['a']
"""
    )


def test_nodes_of_the_graph_have_the_names_of_pytorch(tmp_path: Path) -> None:
    program = """
import torch, torch.nn as nn, torch.nn.functional as F
x = torch.eye(2, requires_grad=True)
labels = torch.tensor([0, 1])
for y in (F.cross_entropy(x, labels), nn.Linear(2, 2)(x), nn.Linear(2, 2, bias=False)(x), x @ x, x @ x[0], x[0] @ x[0],
          x[:, 0], x[:1], x[labels, labels], x.sum(), x.mean(0), x ** 2, x.max(), x.clamp(0), x.view(4),
          x.expand(3, 2, 2), F.layer_norm(x, (2,)), nn.BatchNorm1d(2)(x), x.norm(), F.prelu(x, x[0, :1]),
          F.mse_loss(x, x.detach()), F.mse_loss(x, x.detach(), reduction="sum"), F.binary_cross_entropy(x, x.detach()),
          F.binary_cross_entropy_with_logits(x, x.detach()), x.amax(1), x.prod(1), 2 ** x, x[x > 0], x[labels],
          nn.Linear(2, 2)(x[None]), F.max_pool2d(x[None], 2), nn.GroupNorm(2, 2)(x[None]), torch.linalg.eigh(x)[0],
          nn.BatchNorm1d(2).eval()(x), x.double(), x.exp()):
    print(y.grad_fn.__repr__().split(" ")[0], end=" ")
print(y.grad_fn.next_functions[0][0].__repr__().split(" ")[0], end=" ")
# PyTorch: HuberLossBackward0, SplitBackward0, UnsqueezeBackward0, as docs/differences.md says.
print(*(y.grad_fn.label for y in (F.huber_loss(x, x.detach()), x.split(1)[0], x.unsqueeze(0))))
"""
    names = run(tmp_path, program).stdout.replace("Backward", "").replace("<", "").split()
    assert " ".join(names) == (
        "NllLoss0 Addmm0 Mm0 Mm0 Mv0 Dot0 Select0 Slice0 Index0 Sum0 Mean1 Pow0 Max1 Clamp1 View0 Expand0 "
        "NativeLayerNorm0 NativeBatchNorm0 LinalgVectorNorm0 PreluKernel0 "
        "MseLoss0 MseLoss0 BinaryCrossEntropy0 BinaryCrossEntropyWithLogits0 Amax0 Prod1 Pow2 Index0 Index0 "
        "View0 MaxPool2DWithIndices0 NativeGroupNorm0 LinalgEigh0 NativeBatchNorm0 ToCopy0 Exp0 AccumulateGrad "
        "Mean0 Slice0 View0"
    )


def test_dropout_of_channels_takes_matrices_for_channels_without_elements(tmp_path: Path) -> None:
    program = """
import torch, torch.nn as nn
torch.manual_seed(0)
print(nn.Dropout2d(0.5)(torch.ones(2, 3)), nn.Dropout3d(0.5)(torch.ones(2, 2, 1)).flatten())
"""
    found = run(tmp_path, program)
    assert found.stdout == "tensor([[0., 0., 2.],\n        [0., 0., 0.]]) tensor([2., 2., 2., 2.])\n"
    assert "UserWarning: dropout2d: Received a 2-D input" in found.stderr


def test_writes_through_data_go_unnoticed_as_in_pytorch(tmp_path: Path) -> None:
    program = """
import torch
class Put(torch.autograd.Function):
    @staticmethod
    def forward(ctx, memory, value, place):
        ctx.place = place
        memory.data[place] = value
        return memory
    @staticmethod
    def backward(ctx, g):
        return g, g[ctx.place], None
a, k = torch.ones(2, requires_grad=True), torch.zeros(2, 2)
k = Put.apply(k, a * 2, (..., 0))
first = (k[..., :1] * a[:, None]).sum()
k = Put.apply(k, a * 3, (..., 1))
(first + (k * a[:, None]).sum()).backward()
x = torch.ones(2, requires_grad=True)
y = (x * x).sum()
x.data.fill_(3.0)
y.backward()
print(a.grad, x, x.grad, x.data.storage().tolist(), type(x), type(x.shape), type(torch.nn.Parameter(x)))
"""
    assert run(tmp_path, program).stdout == (
        "tensor([14., 14.]) tensor([3., 3.], requires_grad=True) tensor([6., 6.]) [3.0, 3.0] "
        "<class 'torch.Tensor'> <class 'torch.Size'> <class 'torch.nn.parameter.Parameter'>\n"
    )


def test_a_package_of_the_program_may_be_called_as_one_of_ours(tmp_path: Path) -> None:
    (tmp_path / "optim").mkdir()
    (tmp_path / "optim" / "trainer.py").write_text("import torch.optim as optim\nRATE = optim.SGD.__name__\n")
    program = "import torch.nn as nn\nfrom optim.trainer import RATE\nimport optim.sgd\nprint(RATE, nn.Linear(1, 1))\n"
    assert run(tmp_path, program).stdout == "SGD Linear(in_features=1, out_features=1, bias=True)\n"
