"""PyTorch's module paths with the modules of this engine that hold their names, and the importer that serves them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

# The first that has a name gives it.
SOURCES: dict[str, tuple[str, ...]] = {
    "torch": (
        "autodiff.as_torch.corners",
        "autodiff.as_torch.dtypes",
        "autodiff.as_torch.functions",
        "autodiff.as_torch.hints",
        "autodiff",
        "nn.functional",
        "autodiff.as_torch.in_place",
        "autodiff.as_torch.rare",
    ),
    "torch.accelerator": ("autodiff.as_torch.accelerator",),
    "torch.amp": ("autodiff.as_torch.amp",),
    "torch.autograd": ("autodiff.as_torch.autograd", "autodiff.autograd"),
    "torch.autograd.anomaly_mode": ("autodiff.anomaly",),
    "torch.autograd.function": ("autodiff.autograd.function",),
    "torch.autograd.functional": ("autodiff.autograd.functional",),
    "torch.autograd.gradcheck": ("autodiff.gradcheck",),
    "torch.autograd.grad_mode": ("autodiff.grad_mode",),
    "torch.autograd.graph": ("autodiff.graph",),
    "torch.autograd.variable": ("autodiff.as_torch.autograd",),
    "torch.backends": ("autodiff.as_torch.backends",),
    "torch.compiler": ("autodiff.as_torch.jit",),
    "torch.cuda": ("autodiff.as_torch.cuda",),
    "torch.cuda.amp": ("autodiff.as_torch.amp",),
    "torch.distributions": ("autodiff.as_torch.distributions",),
    "torch.distributions.constraints": ("autodiff.as_torch.distributions.constraints",),
    "torch.distributions.transforms": ("autodiff.as_torch.distributions.transforms",),
    "torch.func": ("autodiff.func",),
    "torch.jit": ("autodiff.as_torch.jit",),
    "torch.linalg": ("autodiff.as_torch.linalg", "autodiff.linalg"),
    "torch.multiprocessing": ("multiprocessing",),
    "torch.nn": ("autodiff.as_torch.layers", "nn"),
    "torch.nn.attention": ("autodiff.as_torch.attention",),
    "torch.nn.common_types": ("autodiff.as_torch.annotations",),
    "torch.nn.functional": ("autodiff.as_torch.implied_dim", "autodiff.as_torch.dropping", "nn.functional"),
    "torch.nn.init": ("nn.init", "autodiff.as_torch.bases"),
    "torch.nn.modules": ("autodiff.as_torch.layers", "nn", "autodiff.as_torch.bases"),
    "torch.nn.modules.module": ("nn.module_hooks", "autodiff.as_torch.layers", "nn"),
    "torch.nn.modules.utils": ("autodiff.as_torch.repeated",),
    "torch.nn.parallel": ("autodiff.as_torch.layers",),
    "torch.nn.parameter": ("nn",),
    "torch.nn.utils": ("nn.utils",),
    "torch.nn.utils.parametrizations": ("nn.utils.parametrizations",),
    "torch.nn.utils.parametrize": ("nn.utils.parametrize",),
    "torch.nn.utils.prune": ("nn.utils.prune",),
    "torch.nn.utils.rnn": ("nn.utils.rnn",),
    "torch.nn.utils.stateless": ("autodiff.func",),
    "torch.optim": ("optim",),
    "torch.optim.lr_scheduler": ("optim.lr_scheduler", "autodiff.as_torch.bases"),
    "torch.optim.swa_utils": ("nn.averaging", "optim.swa_utils"),
    "torch.random": ("autodiff.random",),
    "torch.return_types": ("autodiff.as_torch.return_types",),
    "torch.special": ("autodiff.special",),
    "torch.testing": ("autodiff.as_torch.comparison",),
    "torch.types": ("autodiff.as_torch.annotations",),
    "torch.utils": (),
    "torch.version": ("autodiff.as_torch.version",),
    "torch.utils.checkpoint": ("autodiff",),
    "torch.utils.data": ("autodiff.data",),
    "torch.utils.hooks": ("autodiff.hooks",),
    "torch.utils.tensorboard": ("tensorboardX",),
    "torchvision": (),
    "torchvision.datasets": ("autodiff.as_torch.vision.datasets", "autodiff.as_torch.vision.elsewhere"),
    "torchvision.transforms": ("autodiff.as_torch.vision.transforms",),
    "torchvision.transforms.functional": ("autodiff.as_torch.vision.functional",),
    "torchvision.utils": ("autodiff.as_torch.vision.images",),
}
# Programs import these at their head and often make no use of them: nothing is in them.
SOURCES |= dict.fromkeys((
    "torch.distributed", "torch.hub", "torch.onnx", "torch.profiler", "torch.quantization",
    "torch.utils.cpp_extension", "torch.utils.model_zoo", "torchvision.io", "torchvision.models", "torchvision.ops",
), ())  # fmt: skip
# What to do without what would be in some of them.
INSTEAD = {
    "torch.distributed": "run one process",
    "torch.hub": "define the network with nn.Module, and give the tensors of a file to its load_state_dict",
    "torch.onnx": "save the state_dict",
    "torch.profiler": "autodiff.inspect profiles a step",
    "torchvision.io": "read images by Pillow, and give np.array(image) to from_numpy",
    "torchvision.models": "define the network with nn.Module, its layers under the same names, and load_state_dict "
    "takes the weights that torchvision's was saved with",
    "torchvision.ops": "compute it with operations on tensors",
}
# PyTorch's files in some of its packages. Each has the names of its package: in which of them a class stands makes no
# difference.
FILES = {
    "torch.amp": "autocast_mode grad_scaler",
    "torch.backends": "cpu cuda cudnn mkl mkldnn mps openmp",
    "torch.distributions": """
        bernoulli beta categorical cauchy chi2 dirichlet distribution exponential gamma geometric gumbel half_normal
        independent kl laplace log_normal mixture_same_family multinomial multivariate_normal normal one_hot_categorical
        poisson relaxed_bernoulli relaxed_categorical studentT transformed_distribution uniform utils""",
    "torch.nn.modules": """
        activation adaptive batchnorm channelshuffle container conv distance dropout flatten fold instancenorm lazy
        linear loss module normalization padding pixelshuffle pooling rnn sparse transformer upsampling utils""",
    "torch.nn.parallel": "data_parallel distributed",
    "torch.nn.utils": "clip_grad convert_parameters fusion init spectral_norm weight_norm",
    "torch.optim": """
        adadelta adagrad adam adamax adamw asgd lbfgs nadam optimizer radam rmsprop rprop sgd""",
    "torch.utils.data": "_utils _utils.collate dataloader dataset distributed sampler",
    "torchvision.datasets": "cifar fakedata folder mnist utils vision",
    "torchvision.transforms": "transforms v2",
}
SOURCES |= {
    f"{package}.{file}": SOURCES.get(f"{package}.{file}", SOURCES[package])
    for package, files in FILES.items()
    for file in files.split()
}
MISSING = object()


def install() -> None:
    """Let ``import torch`` in this program find this engine, with PyTorch's behaviour where ours differs on purpose.

    RuntimeError if PyTorch itself has been imported already. ``from autodiff.as_torch import install; install()`` are
    the first lines of such a program; ``import torch`` and all that it would do with PyTorch may follow.
    """
    loaded = sys.modules.get("torch")
    if loaded is not None and not isinstance(loaded, Namespace):
        raise RuntimeError(
            "expected to be installed before anything imports torch, but the real PyTorch is imported already: call "
            "install() in the first lines of the program, or run it by `python -m autodiff.as_torch script.py`"
        )
    if not any(isinstance(finder, Finder) for finder in sys.meta_path):
        # Before the program's own folder is searched, which may have files of these names.
        import nn
        import optim
        from autodiff.as_torch.behaviour import adopt

        assert nn
        assert optim
        adopt()
        sys.meta_path.insert(0, Finder())


class Finder(MetaPathFinder):
    """Answers for every module of torch and torchvision, so that none of an installed PyTorch is mixed in."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        top = fullname.partition(".")[0]
        if path is not None and top in ("nn", "optim"):
            # Programs have packages of these names too: their files are found where ours has none.
            inside = fullname.split(".")[:-1]
            own = [str(Path(folder, *inside)) for folder in sys.path]
            return PathFinder.find_spec(fullname, path) or PathFinder.find_spec(fullname, own)
        if top not in ("torch", "torchvision"):
            return None
        sources = SOURCES.get(fullname)
        if sources is None:
            # Without a name: of an error with one, ``from torch import fx`` would say something else.
            raise ModuleNotFoundError(_absent(fullname))
        return ModuleSpec(fullname, NamespaceLoader(sources), is_package=True)


class NamespaceLoader(Loader):
    """Makes a module of names that stand elsewhere."""

    def __init__(self, sources: Sequence[str]) -> None:
        self._sources = sources

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return Namespace(spec.name, self._sources)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run: names are looked up when they are used."""


class Namespace(ModuleType):
    """A module of PyTorch's with the names that this engine has for it."""

    __version__ = "2.13.0"

    def __init__(self, name: str, sources: Sequence[str]) -> None:
        super().__init__(name, f"The names of {name} that this engine has.")
        self._sources = sources

    @property
    def __all__(self) -> list[str]:
        return sorted({name for source in self._sources for name in getattr(import_module(source), "__all__", ())})

    def __dir__(self) -> list[str]:
        return sorted({*self.__all__, *vars(self)})

    def __getattr__(self, name: str) -> Any:
        path = f"{self.__name__}.{name}"
        for source in self._sources:
            found = _public(import_module(source), name)
            # PyTorch's own module of the name is wanted, not the one of this engine that it stands for.
            if found is not MISSING and not (isinstance(found, ModuleType) and path in SOURCES):
                # Looked up once: every later use finds it in the module itself.
                setattr(self, name, found)
                return found
        if path in SOURCES:
            return import_module(path)
        raise AttributeError(_absent(path), name=name, obj=self)


def _public(module: ModuleType, name: str) -> Any:
    if name in getattr(module, "__all__", ()) or name.startswith("_") or "__all__" not in vars(module):
        return getattr(module, name, MISSING)
    return MISSING


def _absent(path: str) -> str:
    from autodiff.outside import REASONS

    module, _, name = path.rpartition(".")
    reason = REASONS.get(name) or INSTEAD.get(module, "docs/differences.md says what this engine leaves out")
    return f"{path} is not part of this engine: {reason}"
