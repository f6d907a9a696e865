"""What the property-based checks of `autodiff.testing` draw for the ops that `nn` declares, a file for each family."""

import nn.functional
from autodiff.testing.cases import CASES
from autodiff.testing.kinks import KINKS
from nn.testing import activation, attention, convolution, embedding, linear, losses, normalization, pooling, recurrent
from nn.testing.kinks import KINKS as OF_LAYERS

assert nn.functional.__all__  # imported for the ops that it declares

for _family in (activation, attention, convolution, embedding, linear, losses, normalization, pooling, recurrent):
    CASES.update(_family.CASES)
KINKS.update(OF_LAYERS)
