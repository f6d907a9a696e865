"""Layers and losses as functions: everything that a module does, given its parameters."""

from nn.functional.activation import leaky_relu, log_softmax, relu, sigmoid, softmax, tanh
from nn.functional.classification import cross_entropy, nll_loss
from nn.functional.dropout import dropout
from nn.functional.linear import linear
from nn.functional.loss import binary_cross_entropy, binary_cross_entropy_with_logits, l1_loss, mse_loss
from nn.functional.normalization import batch_norm
from nn.functional.sparse import one_hot

__all__ = [
    "batch_norm",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "dropout",
    "l1_loss",
    "leaky_relu",
    "linear",
    "log_softmax",
    "mse_loss",
    "nll_loss",
    "one_hot",
    "relu",
    "sigmoid",
    "softmax",
    "tanh",
]
