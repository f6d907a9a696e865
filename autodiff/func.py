"""`ad.func`: functions that transform functions, under the names of `torch.func`."""

from autodiff.transforms.functional_call import functional_call, replace_all_batch_norm_modules_, stack_module_state
from autodiff.transforms.reverse import grad, grad_and_value, jacrev, value_and_grad, vjp
from autodiff.transforms.tangents import hessian, hvp, jacfwd, jvp, linearize
from autodiff.transforms.vmap import vmap

__all__ = [
    "functional_call",
    "grad",
    "grad_and_value",
    "hessian",
    "hvp",
    "jacfwd",
    "jacrev",
    "jvp",
    "linearize",
    "replace_all_batch_norm_modules_",
    "stack_module_state",
    "value_and_grad",
    "vjp",
    "vmap",
]
