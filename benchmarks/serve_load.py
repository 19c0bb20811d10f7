"""`negsample serve` under load: is every answer right, does it stay up, does its memory stay, how fast is it?

`python -m benchmarks.serve_load MODEL [--clients 50] [--minutes 10]`: writes `benchmarks/results/serve-load.json`.

Clients on the loopback ask one request after another, each drawn from a table: valid ones of all kinds, whose answers
`Recommender.recommend` gave beforehand, and one in five that is malformed. Meanwhile the MODEL is replaced, again and
again: by a copy, which is loaded, and by a damaged copy, which is refused. Beside them a process measures the bare
product of one state and the item table. Clients, service and product share the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.common import RESULTS
from benchmarks.serve_requests import Request, malformed, same, valid
from negsample import load_model
from negsample.runs.machine import machine

MALFORMED = 0.2
"""Of all requests."""
SAMPLE_SECONDS = 10
REPLACED_SECONDS = 60
BESIDE = "other jobs ran on the same cores all the time: see load_average in samples"
WAIT = 60.0
"""Seconds for an answer."""


class Load:
    """What clients saw."""

    def __init__(self) -> None:
        self.statuses: Counter[str] = Counter()
        self.wrong: list[dict[str, Any]] = []
        self.seconds: list[float] = []
        self.answers = self.identical = 0


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serve_load")
    parser.add_argument("model", type=Path, help="a MODEL")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--out", type=Path, default=RESULTS / "serve-load.json")
    given = parser.parse_args()
    with TemporaryDirectory() as place:
        found = measure(given.model, Path(place), given.clients, given.minutes)
    found = {"machine": machine(), "beside": BESIDE} | found
    print(json.dumps(found, indent=1))
    given.out.write_text(json.dumps(found, indent=1) + "\n")


def measure(model: Path, place: Path, clients: int, minutes: float) -> dict[str, Any]:
    """All figures."""
    recommender = load_model(model)
    began = time.perf_counter()
    good, bad = valid(recommender, 400), malformed(recommender)
    recommend_ms = 1000 * (time.perf_counter() - began) / len(good)
    shape = len(recommender.item_ids), sum(model.table.block(1, 2).shape[1] for model in recommender.models)
    folder = place / "MODEL"
    shutil.copytree(model, folder)
    service, port = started(folder, place / "log")
    try:
        alone, crowd = Load(), Load()
        asyncio.run(run(alone, port, 1, 20.0, good, []))
        samples: list[dict[str, Any]] = []
        asyncio.run(loaded(crowd, service, port, clients, minutes * 60, good, bad, samples, folder, model, shape))
        crashed = service.poll() is not None
        metrics = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
        service.send_signal(signal.SIGTERM)
        ended = service.wait(60)
    finally:
        service.kill()
    rss = [each["rss_mib"] for each in samples]
    half = len(rss) // 2
    return {
        "model": {name: getattr(recommender.about, name) for name in ("method", "items", "users", "events")},
        "clients": clients,
        "minutes": minutes,
        "distinct_requests": {"valid": len(good), "malformed": len(bad)},
        "recommend_ms": round(recommend_ms, 2),
        "crashed": crashed,
        "exit_code": ended,
        "alone": figures(alone, 20.0),
        "crowd": figures(crowd, minutes * 60),
        "rss_mib": {
            "start": rss[0],
            "end": rss[-1],
            "largest": max(rss),
            "median_of_second_quarter": statistics.median(rss[half // 2 : half]),
            "median_of_last_quarter": statistics.median(rss[half + half // 2 :]),
        },
        "service": {
            name: value
            for name, value in re.findall(r"^((?:negsample|process_cpu)_\w+(?:\{.*\})?) (\S+)$", metrics, re.M)
            if not re.search("_created|_bucket|until", name)
        },
        "product_ms": summary([each["product_ms"] for each in samples]),
        "samples": {name: [each[name] for each in samples] for name in samples[0]},
        "log": (place / "log").read_text().replace(str(place), "").splitlines()[-20:],
    }


def started(folder: Path, log: Path) -> tuple[subprocess.Popen[bytes], int]:
    """The service, and its port."""
    command = [sys.executable, "-m", "negsample", "serve", str(folder), "--port", "0"]
    with log.open("wb") as file:
        service = subprocess.Popen(command, stdout=file, stderr=file)
    while True:
        found = re.search(r"at http://127.0.0.1:(\d+)", log.read_text())
        if found:
            return service, int(found[1])
        if service.poll() is not None:
            raise SystemExit(log.read_text())
        time.sleep(0.1)


async def loaded(
    load: Load,
    service: subprocess.Popen[bytes],
    port: int,
    clients: int,
    seconds: float,
    good: list[Request],
    bad: list[Request],
    samples: list[dict[str, Any]],
    folder: Path,
    model: Path,
    shape: tuple[int, int],
) -> None:
    """All clients, while memory is sampled, products are measured and the MODEL is replaced."""
    others = [
        asyncio.create_task(sample(load, service.pid, samples, shape)),
        asyncio.create_task(replace(folder, model)),
    ]
    await run(load, port, clients, seconds, good, bad)
    for each in others:
        each.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def run(load: Load, port: int, clients: int, seconds: float, good: list[Request], bad: list[Request]) -> None:
    """So many clients for so long."""
    until = time.perf_counter() + seconds
    await asyncio.gather(*(client(load, port, until, good, bad, random.Random(n)) for n in range(clients)))


async def client(
    load: Load, port: int, until: float, good: list[Request], bad: list[Request], draws: random.Random
) -> None:
    """One request after another, on one connection as long as it holds."""
    streams: Any = None
    while time.perf_counter() < until:
        request = draws.choice(bad) if bad and draws.random() < MALFORMED else draws.choice(good)
        if request.rare and draws.random() > 0.05:
            continue
        if streams is None:
            try:
                streams = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                load.statuses["no connection"] += 1
                await asyncio.sleep(0.1)
                continue
        began = time.perf_counter()
        try:
            status, body, closed = await asyncio.wait_for(exchange(streams, request), WAIT)
        except (OSError, asyncio.IncompleteReadError):
            status, body, closed = 0, b"", True
        except TimeoutError:
            status, body, closed = -1, b"", True
        took = time.perf_counter() - began
        if closed:
            streams[1].close()
            streams = None
        check(load, request, status, body, took)


async def exchange(streams: Any, request: Request) -> tuple[int, bytes, bool]:
    """Status, body, and whether the connection is at its end."""
    reader, writer = streams
    writer.write(request.raw)
    await writer.drain()
    if request.half:
        await asyncio.sleep(0.5)
        return request.statuses[0], b"", True
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    status = int(head.split()[1])
    length = re.search(r"content-length: (\d+)", head)
    if length is None:
        return status, await reader.read(), True
    return status, await reader.readexactly(int(length[1])), "connection: close" in head


def check(load: Load, request: Request, status: int, body: bytes, took: float) -> None:
    """Count an exchange."""
    kind = "valid" if request.answer is not None else "malformed"
    load.statuses[f"{kind} {status}"] += 1
    if request.answer is not None and status == 200:
        load.seconds.append(took)
        load.answers += 1
        found = json.loads(body)
        right, identical = same(found, request.answer)
        load.identical += identical
        if not right:
            load.wrong.append({"request": request.raw.decode()[-300:], "answer": body.decode()[:300]})
    elif status not in request.statuses and status != 503:
        load.wrong.append({"kind": request.name, "status": status, "answer": body.decode(errors="replace")[:300]})


async def sample(load: Load, pid: int, samples: list[dict[str, Any]], shape: tuple[int, int]) -> None:
    """Every ten seconds: memory of the service, answers so far, and a bare product in a process of its own."""
    began = time.perf_counter()
    product = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PRODUCT, *map(str, shape), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert product.stdin is not None
    assert product.stdout is not None
    try:
        while True:
            status = Path(f"/proc/{pid}/status").read_text()
            rss = re.search(r"VmRSS:\s+(\d+)", status)
            product.stdin.write(b"\n")
            line = (await product.stdout.readline()).decode().strip()
            samples.append(
                {
                    "seconds": round(time.perf_counter() - began),
                    "rss_mib": round(int(rss[1]) / 1024, 1) if rss else math.nan,
                    "threads": int(re.search(r"Threads:\s+(\d+)", status)[1]),  # type: ignore[index]
                    "files": len(os.listdir(f"/proc/{pid}/fd")),
                    "answers": load.answers,
                    "product_ms": round(float(line), 4),
                    "load_average": round(os.getloadavg()[0], 1),
                }
            )
            await asyncio.sleep(SAMPLE_SECONDS)
    finally:
        product.kill()
        await product.wait()


PRODUCT = """
import statistics, sys, time, torch
torch.set_num_threads(1)
rows, dim = map(int, sys.argv[1:])
items, state = torch.randn(rows, dim), torch.randn(1, dim)
for _ in sys.stdin:
    taken = []
    for _ in range(100):
        began = time.perf_counter()
        torch.mm(state, items.T)
        taken.append(time.perf_counter() - began)
    print(1000 * statistics.median(taken), flush=True)
"""


async def replace(folder: Path, model: Path) -> None:
    """Every minute a copy of ``model`` in the place of ``folder``, each third time a damaged one."""
    for turn in range(1, 10**6):
        await asyncio.sleep(REPLACED_SECONDS)
        await asyncio.to_thread(_replace, folder, model, turn % 3 == 0)


def _replace(folder: Path, model: Path, damaged: bool) -> None:
    new, old = folder.with_name("new"), folder.with_name("old")
    shutil.copytree(model, new)
    if damaged:
        events = new / "events.parquet"
        events.write_bytes(events.read_bytes()[:-100])
    folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old)


def figures(load: Load, seconds: float) -> dict[str, Any]:
    """Of a load."""
    return {
        "statuses": dict(sorted(load.statuses.items())),
        "wrong": len(load.wrong),
        "first_wrong": load.wrong[:5],
        "answers": load.answers,
        "answers_with_the_same_items_in_the_same_order": load.identical,
        "requests_a_second": round(sum(load.statuses.values()) / seconds, 1),
        "answers_a_second": round(load.answers / seconds, 1),
        "latency_ms": summary([1000 * each for each in load.seconds]),
    }


def summary(values: list[float]) -> dict[str, float]:
    """Percentiles."""
    if not values:
        return {}
    ordered = sorted(values)
    at = {name: ordered[min(int(share * len(ordered)), len(ordered) - 1)] for name, share in PERCENTILES.items()}
    return {name: round(value, 3) for name, value in at.items()}


PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999, "max": 1.0}


if __name__ == "__main__":
    main()
