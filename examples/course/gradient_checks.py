"""One-sided differences err by O(ε), two-sided by O(ε²); a whole model as one vector θ, at the start and afterwards."""

from collections.abc import Callable

import autodiff as ad
import nn
import optim
from nn.utils import parameters_to_vector, vector_to_parameters


def one_sided(f: Callable[[float], float], x: float, epsilon: float) -> float:
    return (f(x + epsilon) - f(x)) / epsilon


def two_sided(f: Callable[[float], float], x: float, epsilon: float) -> float:
    return (f(x + epsilon) - f(x - epsilon)) / (2 * epsilon)


def error(rule: Callable, epsilon: float) -> float:
    """Of the derivative of θ³ at 1, which is 3: the notes' example."""
    return abs(rule(lambda x: x**3, 1.0, epsilon) - 3)


class Problem:
    """A small network in float64, its data, and the cost with the penalty λ/2m ‖W‖² of the weights."""

    def __init__(self, dropout: float = 0.0) -> None:
        ad.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Dropout(dropout), nn.Linear(6, 3)).double()
        self.x, self.y = ad.randn(20, 3, dtype=ad.float64), ad.randint(3, (20,))

    def cost(self, lambda_: float) -> ad.Tensor:
        weights = (p for name, p in self.model.named_parameters() if name.endswith("weight"))
        penalty = lambda_ / (2 * len(self.x)) * sum((w * w).sum() for w in weights)
        return nn.functional.cross_entropy(self.model(self.x), self.y) + penalty

    def train(self, steps: int) -> None:
        optimizer = optim.SGD(self.model.parameters(), lr=0.5)
        for _ in range(steps):
            optimizer.zero_grad()
            self.cost(0.1).backward()
            optimizer.step()

    def check(self, lambda_: float = 0.1, lambda_of_backward: float = 0.1, epsilon: float = 1e-6) -> float:
        """‖difference − gradient‖ / (‖difference‖ + ‖gradient‖) over all parameters as one vector θ."""
        parameters = list(self.model.parameters())
        gradient = parameters_to_vector(ad.grad(self.cost(lambda_of_backward), parameters))
        theta = parameters_to_vector(parameters).detach().clone()
        differences = ad.zeros_like(theta)
        with ad.no_grad():
            for i in range(len(theta)):
                costs = []
                for sign in (1, -1):
                    moved = theta.clone()
                    moved[i] += sign * epsilon
                    vector_to_parameters(moved, parameters)
                    costs.append(self.cost(lambda_).item())
                differences[i] = (costs[0] - costs[1]) / (2 * epsilon)
            vector_to_parameters(theta, parameters)
        return ((differences - gradient).norm() / (differences.norm() + gradient.norm())).item()


def main() -> None:
    print(f"{'ε':>8}{'one-sided':>12}{'two-sided':>12}")
    for epsilon in (0.1, 0.01, 0.001):
        print(f"{epsilon:8}{error(one_sided, epsilon):12.1e}{error(two_sided, epsilon):12.1e}")
    problem = Problem()
    print(f"the whole model at the start: {problem.check():.0e}")
    problem.train(200)
    print(f"after training:               {problem.check():.0e}")
    print(f"regulariser left out of the gradients: {problem.check(lambda_of_backward=0.0):.0e}")
    print(f"dropout left on:                       {Problem(dropout=0.5).check():.0e}")


if __name__ == "__main__":
    main()
