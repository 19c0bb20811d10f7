"""The HTTP service over a MODEL: which requests there are, and what each of them gets."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import TypeAdapter, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from negsample.errors import InputError
from negsample.serving.batches import Batches, BusyError
from negsample.serving.bodies import Bodies
from negsample.serving.live import Live
from negsample.serving.metrics import Metrics, measured
from negsample.serving.questions import Answer, Question, sentence
from negsample.serving.respond import UnknownUserError

_ANSWER = TypeAdapter(Answer)
_RETRY = {"Retry-After": "1"}
_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"description": "The body is no JSON."},
    404: {"description": "The model knows no such user."},
    408: {"description": "The body did not come in time."},
    413: {"description": "The body is too large."},
    422: {"description": "A field breaks its rule."},
    503: {"description": "Too many requests wait; try again."},
}


def make_app(live: Live, metrics: Metrics) -> FastAPI:
    """The service over a MODEL; its threads begin and end with it."""
    batches = Batches(lambda questions: live.responder(questions), metrics.passed)
    metrics.shows(lambda: batches.waiting, lambda: live.responder.recommender.about.until / 1e6)
    bodies = Bodies()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        batches.start()
        live.start()
        yield
        await asyncio.to_thread(live.stop)
        await asyncio.to_thread(batches.stop)

    app = FastAPI(title="negsample", docs_url=None, redoc_url=None, lifespan=lifespan)
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)

    body = {"required": True, "content": {"application/json": {"schema": Question.model_json_schema()}}}

    @app.post("/recommend", responses={200: {"model": Answer}, **_REFUSALS}, openapi_extra={"requestBody": body})
    async def recommend(request: Request) -> Response:
        """The best items for a person."""
        async with bodies.read(request) as content:
            question = Question.model_validate_json(content)
            answer = await asyncio.wrap_future(batches.ask(question))
        if isinstance(answer, InputError):
            raise answer
        return Response(_ANSWER.dump_json(answer), media_type="application/json")

    @app.get("/health")
    async def health() -> JSONResponse:
        """Whether the service answers, with which model, and whether the one that lies in the folder was refused."""
        about = {"ready": batches.alive, "refused": bool(live.refused), **_facts(live)}
        return JSONResponse(about, 200 if batches.alive else 503)

    @app.get("/model")
    async def model() -> JSONResponse:
        """What the model is, and the figures that its study had at the same dial."""
        about = live.responder.recommender.about
        told = {"dial": about.dial, "promise": about.promise, "not_in_time": about.not_in_time}
        return JSONResponse(_facts(live) | told | {"untrained": about.untrained, "versions": about.versions})

    @app.get("/metrics")
    async def prometheus() -> Response:
        """For Prometheus."""
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    @app.post("/reload", responses={403: {"description": "Not from this machine."}, 409: {"description": "Refused."}})
    async def reload(request: Request) -> JSONResponse:
        """Load what lies in the folder now; for requests from this machine."""
        if not _is_here(request):
            raise HTTPException(403, "reload is for requests from this machine")
        if not await asyncio.to_thread(live.reload):
            raise HTTPException(409, live.refused)
        return JSONResponse(_facts(live))

    app.add_middleware(measured, metrics=metrics, paths=frozenset(route.path for route in app.routes))  # type: ignore
    return app


def _facts(live: Live) -> dict[str, Any]:
    about = live.responder.recommender.about
    until = np.datetime64(about.until, "us").astype("datetime64[s]")
    counts = {name: getattr(about, name) for name in ("items", "users", "events")}
    return {"method": about.method, "members": len(about.members), **counts, "until": f"{until}Z"}


def _is_here(request: Request) -> bool:
    try:
        address = ipaddress.ip_address(request.client.host if request.client else "")
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _said(status: int, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": message}, status, headers)


async def _on_http(request: Request, error: Any) -> Response:
    headers = error.headers or {}
    sentences = {
        404: "there is no such path; /openapi.json describes those that there are",
        405: f"{request.url.path} takes {headers.get('Allow')}, not {request.method}",
    }
    return _said(error.status_code, sentences.get(error.status_code, str(error.detail)), headers)


async def _on_invalid(request: Request, error: Any) -> Response:
    said = sentence(error)
    return _said(400 if said.startswith("Invalid JSON") else 422, said)


async def _on_input(request: Request, error: Any) -> Response:
    return _said(404 if isinstance(error, UnknownUserError) else 422, str(error))


async def _on_busy(request: Request, error: Any) -> Response:
    return _said(503, "too many requests wait; try again in a second", _RETRY)


async def _on_gone(request: Request, error: Any) -> Response:
    return _said(400, "the connection was closed before the body had come")


async def _on_failure(request: Request, error: Any) -> Response:
    return _said(500, "the service failed; its log says why")


_HANDLERS: dict[type[Exception], Any] = {
    HTTPException: _on_http,
    ValidationError: _on_invalid,
    InputError: _on_input,
    BusyError: _on_busy,
    ClientDisconnect: _on_gone,
    Exception: _on_failure,
}
