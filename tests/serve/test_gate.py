"""Who gets in: hosts, origins, tokens and their scopes on every route, sessions, sizes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.routing import BaseRoute

from conftest import write_notes
from quoth import access, feedback
from quoth.config import Config
from quoth.library import Library
from quoth.serve.app import create
from quoth.serve.state import Server
from served import Served, run_quoth, serving

PASSWORD = "correct horse battery staple"
NEEDS = {
    "": {
        "GET /healthz", "GET /readyz", "GET /login", "POST /login", "POST /api/login", "GET /web/{version}/{name}",
    },
    "ask": {
        "GET /", "GET /library", "GET /evaluate", "GET /examples", "GET /source", "GET /api/openapi.json",
        "GET /api/status", "POST /api/ask", "GET /api/search", "GET /api/documents", "GET /api/document",
        "GET /api/passages", "GET /api/place", "GET /api/pages", "GET /api/page.png", "GET /api/sources",
        "GET /api/jobs", "GET /api/jobs/{number}", "GET /api/queue/{number}", "GET /api/threads", "POST /api/threads",
        "GET /api/threads/{number}", "PATCH /api/threads/{number}", "DELETE /api/threads/{number}",
        "GET /api/threads/{number}/export", "POST /api/ratings", "GET /api/golden", "GET /api/runs",
        "GET /api/recipes", "GET /api/compare", "GET /api/report", "POST /api/logout", "GET /api/me", "GET /v1/models",
        "GET /v1/models/{name}", "POST /v1/chat/completions", "POST /v1/embeddings", "POST /mcp",
    },
    "add": {
        "POST /api/documents/retry", "DELETE /api/documents", "POST /api/upload", "POST /api/jobs/{number}/cancel",
        "POST /api/jobs/{number}/resume", "POST /api/sync", "POST /api/queue/{number}/cancel", "POST /api/golden",
        "DELETE /api/golden/{key}", "POST /api/evaluate",
    },
    "admin": {
        "POST /api/sources", "DELETE /api/sources", "GET /api/models", "GET /api/people", "POST /api/people",
        "DELETE /api/people/{name}", "GET /api/tokens", "POST /api/tokens", "DELETE /api/tokens/{name}",
    },
}  # fmt: skip
"""What each operation needs; a new one has no place until somebody decides."""
ORDER = ["", "ask", "add", "admin"]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server whose library has tokens of all scopes, an expired one, and a person of each role."""
    place = tmp_path_factory.mktemp("guarded")
    notes = write_notes(place / "notes")
    run_quoth(place / "library", "add", str(notes))
    secrets = {}
    with Library.open(place / "library") as library:
        for scope in access.SCOPES:
            secrets[scope] = access.new_token(library, f"{scope} token", scope)[1]
        secrets["expired"] = access.new_token(library, "old", "admin", days=1e-9)[1]
        for name, role in (("Olga", "owner"), ("Ed", "editor"), ("Rita", "reader")):
            access.add_person(library, name, role, PASSWORD)  # type: ignore[arg-type]
    (place / "secrets.json").write_text(json.dumps(secrets))
    with serving(place / "library", notes, "--no-watch") as served:
        yield served


def token(guarded: Served, scope: str) -> dict[str, str]:
    secret = json.loads((guarded.library.parent / "secrets.json").read_text())[scope]
    return {"Authorization": f"Bearer {secret}"}


def every(routes: list[BaseRoute]) -> Iterator[str]:
    """Every operation of an application, also of the routers in it."""
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from every(inner.routes)
        else:
            yield from (f"{method} {route.path}" for method in (route.methods or ()) if method != "HEAD")  # type: ignore[attr-defined]


def test_every_operation_has_its_scope(tmp_path: Path) -> None:
    with Library.open(tmp_path / "library") as library:
        found = sorted(every(create(Server(library, Config())).routes))
    assert found == sorted(one for some in NEEDS.values() for one in some)


def call(client: httpx.Client, operation: str, headers: dict[str, str]) -> httpx.Response:
    method, path = operation.split(" ")
    path = path.format(number=999_999, key="nothing", name="nobody", version="0", **{})
    query = "?path=/nowhere" if method == "DELETE" or "retry" in path else ""
    body = {"json": {}} if method in ("POST", "PATCH") and path not in ("/api/sync", "/api/logout") else {}
    return client.request(method, path + query, headers=headers, follow_redirects=False, **body)  # type: ignore[arg-type]


@pytest.mark.parametrize("needed", ORDER)
def test_a_token_opens_what_its_scope_allows_and_nothing_else(guarded: Served, needed: str) -> None:
    wrong = []
    with guarded.client() as client:
        for operation in sorted(NEEDS[needed]):
            for held in ORDER:
                status = call(client, operation, token(guarded, held) if held else {}).status_code
                expected = 401 if needed and not held else 403 if ORDER.index(held) < ORDER.index(needed) else None
                # without a body, or for what is not there, whoever may gets another answer
                right = status == expected if expected else status not in (401, 403) and status < 500
                if not right and not (operation in ("POST /login", "POST /api/login") and status in (401, 403)):
                    wrong.append(f"{operation} with {held or 'nothing'}: {status}")
    assert wrong == []


@pytest.mark.parametrize("secret", ["quoth_wrong", "é", "x" * 5_000])
def test_a_wrong_token_opens_nothing(guarded: Served, secret: str) -> None:
    with guarded.client() as client:
        done = client.get("/api/status", headers={"Authorization": f"Bearer {secret}".encode()})
    assert done.status_code == 401
    assert done.headers["www-authenticate"] == "Bearer"
    assert done.json()["hint"].startswith("quoth token new")


def test_an_expired_token_opens_nothing(guarded: Served) -> None:
    with guarded.client() as client:
        done = client.get("/api/status", headers=token(guarded, "expired"))
    assert (done.status_code, done.headers["content-type"]) == (401, "application/problem+json")
    assert "expired" in done.json()["detail"]


def test_a_token_that_is_revoked_is_gone_at_once(guarded: Served) -> None:
    admin = token(guarded, "admin")
    with guarded.client() as client:
        made = client.post("/api/tokens", headers=admin, json={"name": "short", "scope": "ask", "days": 1}).json()
        mine = {"Authorization": f"Bearer {made['secret']}"}
        assert client.get("/api/me", headers=mine).json()["scope"] == "ask"
        listed = client.get("/api/tokens", headers=admin).json()["tokens"]
        assert made["secret"] not in json.dumps(listed)
        assert client.delete("/api/tokens/short", headers=admin).status_code == 200
        assert client.get("/api/me", headers=mine).status_code == 401


# -- sessions --------------------------------------------------------------------------------------


def logged_in(guarded: Served, client: httpx.Client, name: str) -> None:
    done = client.post("/api/login", json={"name": name, "password": PASSWORD})
    assert done.status_code == 200, done.text
    cookie = done.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


def page(guarded: Served) -> dict[str, str]:
    """The headers that the page's own requests have."""
    return {"X-Quoth": "1", "Origin": guarded.address}


def test_a_session_changes_something_only_from_the_page_itself(guarded: Served) -> None:
    with guarded.client() as client:
        logged_in(guarded, client, "Olga")
        assert client.get("/api/me").json() == {"name": "Olga", "scope": "admin", "via": "session", "needed": True}
        for headers in ({}, {"X-Quoth": "1"}, {"Origin": guarded.address}, page(guarded) | {"Origin": "null"}):
            assert client.post("/api/threads", json={}, headers=headers).status_code == 403, headers
        assert client.post("/api/threads", json={}, headers=page(guarded)).status_code == 201


def test_a_role_is_a_scope(guarded: Served) -> None:
    for name, scope in (("Rita", "ask"), ("Ed", "add"), ("Olga", "admin")):
        with guarded.client() as client:
            logged_in(guarded, client, name)
            assert client.get("/api/me").json()["scope"] == scope


def test_people_see_their_own_threads_only(guarded: Served) -> None:
    with guarded.client() as rita, guarded.client() as ed:
        logged_in(guarded, rita, "Rita")
        logged_in(guarded, ed, "Ed")
        made = rita.post("/api/threads", json={"title": "Mine"}, headers=page(guarded)).json()
        asked = {"question": "Who services the boiler?", "thread": made["id"]}
        assert rita.post("/api/ask", json=asked, headers=page(guarded)).status_code == 200
        assert ed.get(f"/api/threads/{made['id']}").status_code == 404
        assert ed.post("/api/ask", json=asked, headers=page(guarded)).status_code == 404
        assert ed.delete(f"/api/threads/{made['id']}", headers=page(guarded)).status_code == 404
        assert "Mine" not in ed.get("/api/threads").text
        assert [one["messages"] for one in rita.get("/api/threads").json()["threads"]] == [1]


def test_people_rate_their_own_answers_only(guarded: Served) -> None:
    asked = {"question": "Who services the boiler?"}
    with guarded.client() as rita, guarded.client() as ed:
        logged_in(guarded, rita, "Rita")
        logged_in(guarded, ed, "Ed")
        entry = rita.post("/api/ask", json=asked, headers=page(guarded)).json()["entry"]
        theirs = ed.post("/api/ask", json=asked, headers=page(guarded)).json()["entry"]
        rated = {"rating": "right", "entry": entry}
        assert ed.post("/api/ratings", json=rated, headers=page(guarded)).status_code == 404
        assert rita.post("/api/ratings", json=rated, headers=page(guarded)).status_code == 200
        assert rita.post("/api/ratings", json={"rating": "wrong"}, headers=page(guarded)).status_code == 200
        completed = ed.post("/v1/chat/completions", headers=page(guarded), json={
            "model": "quoth", "messages": [{"role": "user", "content": asked["question"]}]})  # fmt: skip
        assert completed.status_code == 200
    with Library.open(guarded.library) as library:
        last = feedback.entries(library, 1)[0]
        assert last.record["person"] == "Ed"
        rated_last = [one.record["shown"] for one in feedback.entries(library) if one.kind == "rated"][-1]
    assert (rated_last, rated_last < theirs) == (entry, True)


def test_logging_out_ends_the_session_itself(guarded: Served) -> None:
    with guarded.client() as client:
        logged_in(guarded, client, "Rita")
        kept = client.cookies["quoth"]
        assert client.post("/api/logout", headers=page(guarded)).json() == {"ended": True}
        assert client.get("/api/me", headers={"Cookie": f"quoth={kept}"}).status_code == 401


def test_guessing_passwords_gets_slow(guarded: Served) -> None:
    with guarded.client() as client:
        codes = []
        for _ in range(8):
            done = client.post("/api/login", json={"name": "Nobody", "password": "wrong password"})
            codes.append(done.status_code)
    assert codes[:5] == [401] * 5
    assert codes[-1] == 429
    assert int(done.headers["retry-after"]) >= 1


def test_a_header_gives_nobody_another_address(tmp_path: Path) -> None:
    notes = write_notes(tmp_path / "notes")
    with Library.open(tmp_path / "library") as library:
        access.new_token(library, "program", "ask")
    with serving(tmp_path / "library", notes, "--no-watch") as served, served.client() as client:
        codes = [
            client.post(
                "/api/login",
                json={"name": f"nobody {number}", "password": "wrong password"},
                headers={"X-Forwarded-For": f"203.0.113.{number}"},
            ).status_code
            for number in range(access.Attempts.FREE_BY_ADDRESS + 1)
        ]
    assert codes[-1] == 429


def test_whoever_is_not_logged_in_is_shown_where(guarded: Served) -> None:
    with guarded.client() as client:
        done = client.get("/library?a=b&c=d", headers={"Accept": "text/html"})
    assert (done.status_code, done.headers["location"]) == (303, "/login?next=%2Flibrary%3Fa%3Db%26c%3Dd")


@pytest.mark.parametrize("cookie", ["quoth=wrong", "quoth=", "quoth", '="', "a=b; quoth=é".encode().decode("latin-1")])
def test_an_odd_cookie_is_nobodys(guarded: Served, cookie: str) -> None:
    with guarded.client() as client:
        done = client.get("/api/me", headers={"Cookie": cookie.encode("latin-1")})
    assert done.status_code == 401


# -- hosts and origins -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:80",
        "127.0.0.1.evil.example",
        "192.168.0.1",
        "[",
        "localhost:evil.example",
        "localhost:80/evil",
        "localhost:",
    ],
)
def test_a_name_that_is_not_ours_is_not_answered_to(server: Served, host: str) -> None:
    with server.client() as client:
        for path in ("/", "/api/status", "/healthz", "/v1/models"):
            assert client.get(path, headers={"Host": host}).status_code == 421, path


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:99"])
def test_the_names_of_this_machine_are_ours(server: Served, host: str) -> None:
    with server.client() as client:
        assert client.get("/healthz", headers={"Host": host}).status_code == 200


FOREIGN = [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "http://["},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_a_page_of_another_site_cannot_use_the_server(server: Served, headers: dict[str, str]) -> None:
    with server.client() as client:
        assert client.post("/api/sync", headers=headers).status_code == 403
        assert client.post("/api/ask", headers=headers, json={"question": "boiler"}).status_code == 403
        assert client.post("/v1/embeddings", headers=headers, json={"input": "boiler"}).status_code == 403
        assert client.post("/mcp", headers=headers, json={}).status_code == 403
        for path in ("/api/search?q=boiler", "/?q=boiler", "/source?path=x", "/web/0/style.css"):
            assert client.get(path, headers=headers).status_code == 403, path


def test_a_link_on_another_site_may_lead_to_the_page(server: Served) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Accept": "text/html"}
    with server.client() as client:
        assert client.get("/", headers=link).status_code == 200
        assert client.get("/api/status", headers=link).status_code == 403
        assert client.post("/login", headers=link, data={"name": "a", "password": "b"}).status_code == 403


def test_what_another_site_asks_by_a_link_is_answered_and_not_noted(own: Served) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Accept": "text/html"}
    looked = f"/source?path={own.notes / 'garden.md'}&start=0&end=5"
    with own.client() as client, Library.open(own.library) as library:
        assert "Hartmann and Sons" in client.get("/?q=Who services the boiler?", headers=link).text
        assert client.get(looked, headers=link).status_code == 200
        assert feedback.entries(library) == []
        assert client.get("/?q=Who services the boiler?").status_code == client.get(looked).status_code == 200
        assert [one.kind for one in feedback.entries(library)] == ["asked", "shown", "opened"]


@pytest.mark.parametrize("path", ["/", "/api/status", "/api/nothing", "/healthz", "/v1/models", "/api/openapi.json"])
def test_every_answer_keeps_a_page_to_itself(server: Served, path: str) -> None:
    with server.client() as client:
        headers = client.get(path).headers
    policy = headers["content-security-policy"]
    for part in ("default-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"):
        assert part in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers
    assert headers.get("cache-control") == "no-store" or not path.startswith(("/api/", "/v1/"))


# -- sizes -----------------------------------------------------------------------------------------


def test_a_body_that_is_too_large_is_refused_as_announced_and_as_it_comes(server: Served) -> None:
    large = b'{"question": "' + b"x" * (5 * 2**20) + b'"}'
    headers = {"Content-Type": "application/json"}

    def pieces() -> Iterator[bytes]:
        for at in range(0, len(large), 2**16):
            yield large[at : at + 2**16]

    with server.client() as client:
        for content in (large, pieces()):
            done = client.post("/api/ask", content=content, headers=headers)
            assert (done.status_code, done.headers["content-type"]) == (413, "application/problem+json")
            assert done.json()["detail"] == "a request here has at most 4 MiB"
        assert client.get("/healthz").text == "ok"


# -- other addresses -------------------------------------------------------------------------------


def test_others_get_in_only_where_somebody_must_say_who_they_are(tmp_path: Path) -> None:
    library = tmp_path / "library"
    for options in (("--host", "0.0.0.0"), ("--name", "quoth.example")):
        with (
            pytest.raises(AssertionError, match="needs a token or a person") as refused,
            serving(library, tmp_path, *options),
        ):
            pass
        assert "try: quoth token new" in str(refused.value)
    secret = json.loads(run_quoth(library, "token", "new", "--name", "me", "--scope", "ask", "--json"))["token"]
    headers = {"Authorization": f"Bearer {secret}"}
    with (
        serving(library, tmp_path, "--host", "0.0.0.0", "--name", "quoth.example") as served,
        served.client() as client,
    ):
        assert client.get("/api/status").status_code == 401
        assert client.get("/api/status", headers=headers).status_code == 200
        for host, status in (("quoth.example", 200), ("10.1.2.3:8777", 200), ("evil.example", 421)):
            assert client.get("/healthz", headers={"Host": host}).status_code == status
        with Library.open(library) as opened:
            access.revoke(opened, "me")
        # nobody is left who could say so, and still nobody gets in
        assert client.get("/api/status").status_code == 401


def test_tokens_open_a_server_that_only_reads(guarded: Served) -> None:
    with serving(guarded.library, guarded.notes, "--read-only") as reader, reader.client() as client:
        asked = client.post("/api/ask", json={"question": "Who services the boiler?"}, headers=token(guarded, "ask"))
        assert asked.json()["answered"]
        assert client.get("/api/me", headers=token(guarded, "expired")).status_code == 401
        login = client.post("/api/login", json={"name": "Rita", "password": PASSWORD})
        assert (login.status_code, login.json()["type"]) == (409, "urn:quoth:read-only")


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
def test_a_proxy_does_not_make_everybody_owner(server: Served, guarded: Served, header: str) -> None:
    refused = httpx.get(f"{server.address}/api/status", headers={header: "203.0.113.9"})
    assert refused.status_code == 403
    assert "proxy" in refused.json()["detail"]
    allowed = {header: "203.0.113.9"} | token(guarded, "ask")
    assert httpx.get(f"{guarded.address}/api/status", headers=allowed).status_code == 200
