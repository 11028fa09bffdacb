from pathlib import Path

from quoth.testing import check_vectors
from quoth.vectors import TurboVectors, turbo


def test_turbo_vectors_keep_the_contract(tmp_path: Path) -> None:
    check_vectors(TurboVectors, tmp_path)


def test_turbo_vectors_keep_the_contract_when_every_search_goes_through_codes(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(turbo, "SCAN", 0)
    monkeypatch.setattr(turbo, "BEHIND", 1)
    check_vectors(TurboVectors, tmp_path)
