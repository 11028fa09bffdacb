"""The OpenAPI document is what the server does: whatever fits it, and much that does not, never meets a bug."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from unittest import SkipTest

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from served import Served, run_quoth


def test_the_document_tells_of_answers_and_problems(server: Served) -> None:
    document = httpx.get(f"{server.address}/api/openapi.json").json()
    lacking = []
    for path, operations in document["paths"].items():
        if not path.startswith("/api/"):
            continue
        for method, operation in operations.items():
            good = [said for code, said in operation["responses"].items() if code.startswith("2")]
            if not operation.get("summary") or not good or not any("content" in said for said in good):
                lacking.append(f"{method} {path}")
            for code in ("401", "422", "500"):
                if "application/problem+json" not in operation["responses"][code]["content"]:
                    lacking.append(f"{method} {path} {code}")
    assert lacking == []
    assert {"Problem", "Answered", "Hits", "Seen", "Ongoing"} <= set(document["components"]["schemas"])


@pytest.mark.slow
def test_no_request_that_can_be_thought_of_meets_a_bug(
    own: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where schemathesis keeps what it learns
    made = json.loads(run_quoth(own.library, "token", "new", "--name", "all", "--scope", "admin", "--json"))
    headers = {"Authorization": f"Bearer {made['token']}"}
    document = httpx.get(f"{own.address}/api/openapi.json", headers=headers).json()
    del document["paths"]["/api/sources"]["post"]  # it would add whatever is found on this machine
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=own.address)
    wrong: list[str] = []
    asked: list[int] = []

    def ask(case: schemathesis.Case) -> None:
        answer = case.call(headers=headers, timeout=60)
        asked.append(answer.status_code)
        if answer.status_code >= 500 and case.path != "/api/report":
            wrong.append(f"{case.method} {case.formatted_path}: {answer.status_code} {answer.text[:300]}")
        case.validate_response(answer, checks=[response_schema_conformance, content_type_conformance])

    few = settings(
        max_examples=20, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path.startswith("/api/"):
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                with suppress(Unsatisfiable, SkipTest):
                    few(given(operation.as_strategy(mode))(ask))()
    assert wrong == []
    assert len(asked) > 300
    assert {200, 202, 404, 422} <= set(asked)
    assert httpx.get(f"{own.address}/healthz").text == "ok"
