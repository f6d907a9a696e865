"""Say where there is speech in a sound: a convolutional and recurrent network with the weights it was trained to.

    python -m pip install onnx
    python -m pip download --no-deps silero-vad
    python examples/speech_detector.py --package silero_vad-*.whl

The weights are those of Silero VAD 6.2 (MIT licence), out of the ONNX file in its wheel, which is only read. The sounds
are made here: silence, a tone, noise, one vowel held for long, and vowels that follow each other as in speech. Beside
the mean probability of speech stands the one that ONNX Runtime 1.31 computes with that file.
"""

import argparse
import math
from pathlib import Path
from zipfile import ZipFile

import onnx
from onnx import numpy_helper

import autodiff as ad
import nn
from nn import functional as F

RATE = 16_000  # numbers a second
WINDOW, CONTEXT = 512, 64  # what is judged at a time, and what of the window before is seen with it
# The frequencies in Hz at which the throat and mouth let most sound through, and how strong it is there.
FORMANTS = {
    "a": ((700, 1.0), (1200, 0.6), (2600, 0.2)),
    "e": ((500, 1.0), (1850, 0.4), (2500, 0.2)),
    "i": ((280, 1.0), (2250, 0.3), (3000, 0.2)),
    "u": ((310, 1.0), (870, 0.4), (2250, 0.05)),
}
EXPECTED = {"silence": 0.004066, "tone": 0.000316, "noise": 0.008937, "one vowel": 0.020363, "vowels": 0.699379}
NAMES = {"model.": "", "decoder.": "", "reparam_conv.": "", "forward_basis_buffer": "weight"}  # there, and here
State = tuple[ad.Tensor, ad.Tensor]


class SpeechDetector(nn.Module):
    """The probability of speech in each window, from its spectrum and from what was before it."""

    def __init__(self) -> None:
        super().__init__()
        self.stft = nn.Conv1d(1, 258, 256, stride=128, bias=False)  # cosines and sines of 129 frequencies
        sizes = [(129, 128, 1), (128, 64, 2), (64, 64, 2), (64, 128, 1)]
        self.encoder = nn.ModuleList([nn.Conv1d(n, m, 3, stride=step, padding=1) for n, m, step in sizes])
        self.rnn = nn.LSTMCell(128, 128)
        self.decoder = nn.Sequential(nn.Dropout(0.1), nn.ReLU(), nn.Conv1d(128, 1, 1), nn.Sigmoid())

    def forward(self, sound: ad.Tensor, state: State | None = None) -> tuple[ad.Tensor, State]:
        """The probabilities (N,) for sounds (N, CONTEXT + WINDOW), and the state to give with the next windows."""
        mirrored_end = F.pad(sound, (0, 64), "reflect")
        cosines, sines = self.stft(mirrored_end.unsqueeze(1)).chunk(2, 1)
        x = (cosines**2 + sines**2).sqrt()
        for conv in self.encoder:
            x = F.relu(conv(x))
        state = self.rnn(x.squeeze(2), state)
        return self.decoder(state[0].unsqueeze(2)).flatten(), state


def load_weights(package: Path) -> dict[str, ad.Tensor]:
    with ZipFile(package) as archive:
        graph = onnx.load_model_from_string(archive.read("silero_vad/data/silero_vad_16k_op15.onnx")).graph
    weights = {}
    for stored in graph.initializer:
        name = stored.name
        for there, here in NAMES.items():
            name = name.replace(there, here, 1)
        weights[name] = ad.tensor(numpy_helper.to_array(stored))
    return weights


def detect(model: SpeechDetector, sound: ad.Tensor) -> ad.Tensor:
    """The probability of speech in each window of a sound (n,)."""
    state, found = None, []
    with ad.no_grad():
        for window in ad.cat([ad.zeros(CONTEXT), sound]).unfold(0, CONTEXT + WINDOW, WINDOW):
            probability, state = model(window.unsqueeze(0), state)
            found.append(probability)
    return ad.cat(found)


def vowel(letter: str, seconds: float, pitch: float = 110.0) -> ad.Tensor:
    """Multiples of a slightly varying pitch, strongest at the vowel's formants, swelling and fading."""
    time = ad.arange(round(seconds * RATE), dtype=ad.float64) / RATE
    frequency = pitch * (1 + 0.1 * ad.sin(2 * math.pi * 0.7 * time))
    phase = 2 * math.pi * frequency.cumsum(0) / RATE
    k = ad.arange(1, 36).unsqueeze(1)
    heard = sum(strength * ad.exp(-(((k * frequency - hertz) / 120) ** 2)) for hertz, strength in FORMANTS[letter])
    sound = (heard / k.sqrt() * ad.sin(k * phase)).sum(0)
    return 0.3 * (sound / sound.abs().max() * ad.sin(math.pi * time / seconds).sqrt()).float()


def sounds() -> dict[str, ad.Tensor]:
    """Two seconds of each kind, with numbers from -1 to 1."""
    time = ad.arange(2 * RATE, dtype=ad.float64) / RATE
    return {
        "silence": ad.zeros(2 * RATE),
        "tone": 0.3 * ad.sin(2 * math.pi * 440 * time).float(),
        "noise": 0.1 * ad.randn(2 * RATE),
        "one vowel": vowel("a", 2.0),
        "vowels": ad.cat([vowel(letter, 0.25) for letter in "aieuaeia"]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--package", type=Path, required=True, help="from: pip download --no-deps silero-vad")
    package = parser.parse_args().package
    if not package.is_file():
        parser.error(f"{package} is not there; fetch it with: python -m pip download --no-deps silero-vad")
    model = SpeechDetector().eval()
    model.load_state_dict(load_weights(package))
    ad.manual_seed(0)  # of the noise
    print("sound      speech    ONNX Runtime")
    for name, sound in sounds().items():
        print(f"{name:9}  {detect(model, sound).mean().item():.6f}  {EXPECTED[name]:.6f}")


if __name__ == "__main__":
    main()
