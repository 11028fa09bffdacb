"""How long the health check of a server takes, asked in turn by a process that does nothing else.

    python benchmarks/health.py HOST PORT

One check every 20 ms until standard input ends; then one JSON object: `ms` of every check, and `late`, the
milliseconds beyond its turn that this process came to each, which tell how busy the machine is.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time

EVERY = 0.02


def main() -> None:
    host, port = sys.argv[1:]
    client = http.client.HTTPConnection(host, int(port), timeout=60)
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    told: dict[str, list[float]] = {"ms": [], "late": []}
    due = time.perf_counter()
    while not over.is_set():
        begun = time.perf_counter()
        told["late"].append(1000 * max(0.0, begun - due))
        check(client)
        told["ms"].append(1000 * (time.perf_counter() - begun))
        due = max(due + EVERY, time.perf_counter())
        time.sleep(max(0.0, due - time.perf_counter()))
    print(json.dumps(told))


def check(client: http.client.HTTPConnection) -> None:
    """One health check; it must say ok."""
    client.request("GET", "/healthz")
    answer = client.getresponse()
    told = answer.read()
    assert (answer.status, told) == (200, b"ok"), told


if __name__ == "__main__":
    main()
