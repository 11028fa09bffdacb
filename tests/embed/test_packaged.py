"""The packaged encoder: its files, its vectors, and that nothing of it reaches for the network."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from quoth import embed
from quoth.embed.packaged import FOLDER, PackagedEncoder, batches
from quoth.embed.together import STEP
from quoth.errors import ModelError, UsageError
from quoth.testing import check_encoder

LINES = [
    line
    for path in sorted((Path(embed.__file__).parents[1]).rglob("*.py"))
    for line in path.read_text(encoding="utf-8").splitlines()
    if line.strip()
]


@pytest.fixture(scope="module")
def encoder() -> PackagedEncoder:
    return PackagedEncoder(threads=2)


def test_the_packaged_encoder_keeps_the_contract() -> None:
    check_encoder(lambda: PackagedEncoder(threads=1))


def test_the_card_names_origin_licence_and_the_hash_of_every_file() -> None:
    card = json.loads((FOLDER / "card.json").read_text(encoding="utf-8"))
    assert card["licence"] == "Apache-2.0"
    assert card["origin_sha256"].startswith("53aa5117")
    assert sorted(card["files"]) == sorted(path.name for path in FOLDER.iterdir() if path.name != "card.json")
    for name, expected in card["files"].items():
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == expected


@pytest.mark.parametrize("name", ["model.bin", "model.xml", "tokenizer.json"])
def test_an_altered_model_file_is_refused(tmp_path: Path, name: str) -> None:
    folder = Path(shutil.copytree(FOLDER, tmp_path / "minilm"))
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ModelError, match="was altered") as refused:
        PackagedEncoder(folder)
    assert name in str(refused.value)
    assert refused.value.hint


def test_a_missing_model_file_is_a_model_error(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(FOLDER, tmp_path / "minilm"))
    (folder / "model.bin").unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        PackagedEncoder(folder)


@pytest.mark.slow
def test_a_vector_does_not_depend_on_batch_mates(encoder: PackagedEncoder) -> None:
    words = " ".join(LINES).split()
    texts = ["", "a", "\U0001f642", "\U0001f469\u200d\U0001f33e\U0001f331", "word " * 5_000]
    texts += [" ".join(words[size * 29 : size * 30]) for size in range(1, 211)]
    assert len(texts) >= 200
    together = encoder.encode(texts)
    alone = np.vstack([encoder.encode([text]) for text in texts])
    assert (together * alone).sum(axis=1).min() >= 0.9999
    shuffled = np.random.default_rng(0).permutation(len(texts))
    again = encoder.encode([texts[place] for place in shuffled])
    assert (again * together[shuffled]).sum(axis=1).min() >= 0.9999


def test_texts_of_one_batch_have_one_padded_length() -> None:
    rows = [[101, *[2000] * size, 102] for size in (3, 200, 4, 5, 6, 7, 200, 254)]
    found = list(batches(rows))
    assert sorted(place for places, _ in found for place in places) == list(range(8))
    for places, inputs in found:
        assert {-(-len(rows[place]) // STEP) * STEP for place in places} == {inputs["ids"].shape[1]}


def test_text_beyond_the_window_changes_nothing(encoder: PackagedEncoder) -> None:
    long = "rain " * 400
    first, second = encoder.encode([long + "sun", long + "snow"])
    assert float(first @ second) >= 0.9999


def test_count_gives_word_pieces_without_limit(encoder: PackagedEncoder) -> None:
    assert encoder.count(["", "rain", "rain and wind", "rain " * 400]) == [0, 1, 3, 400]


def test_meaning_is_nearer_than_wording(encoder: PackagedEncoder) -> None:
    question, near, far = encoder.encode(
        ["How do I repair a leaking tap?", "Fixing a faucet that drips", "How do I bake a loaf of bread?"]
    )
    assert float(question @ near) > float(question @ far) + 0.3


def test_the_int8_vectors_stay_near_those_of_the_fp32_graph(encoder: PackagedEncoder) -> None:
    known = json.loads((Path(__file__).parent / "fp32.json").read_text(encoding="utf-8"))
    expected = np.array(known["vectors"], np.float32)
    assert (encoder.encode(known["texts"]) * expected).sum(axis=1).min() >= 0.99


def test_neither_a_socket_nor_telemetry_is_touched() -> None:
    program = (
        "import socket, sys\n"
        "def refuse(*_, **__): raise AssertionError('a socket was opened')\n"
        "socket.socket = socket.create_connection = socket.getaddrinfo = refuse\n"
        "from quoth import embed\n"
        "encoder = embed.open('minilm')\n"
        "encoder.encode(['one'] * 20)\n"
        "encoder.encode(['one'])\n"
        "print([name for name in sys.modules if 'telemetry' in name])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_open_takes_the_packaged_encoder_or_ones_own() -> None:
    assert isinstance(embed.open("minilm"), PackagedEncoder)
    assert isinstance(embed.open("quoth.embed.packaged:PackagedEncoder"), PackagedEncoder)


@pytest.mark.parametrize("spec", ["", "nonsense", "no.such.module:Class", "quoth.embed.packaged:Nothing", "http://"])
def test_open_refuses_what_names_no_encoder(spec: str) -> None:
    with pytest.raises(UsageError) as refused:
        embed.open(spec)
    assert refused.value.hint


def test_a_long_encode_ends_at_the_next_pulse_and_the_encoder_goes_on() -> None:
    encoder = PackagedEncoder()
    texts = [f"note {number} " + "about the rain and the wind " * 20 for number in range(400)]
    whole = encoder.encode(texts)
    calls = 0

    def stop() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt

    token = embed.pulse.set(stop)
    try:
        with pytest.raises(KeyboardInterrupt):
            encoder.encode(texts)
    finally:
        embed.pulse.reset(token)
    assert calls == 3
    assert np.array_equal(encoder.encode(texts), whole)
