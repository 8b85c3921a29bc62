"""An InferenceGraph's router, as much of it as a test needs: ready at /readyz, a POST goes through the steps in turn."""

import json
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse


def serve(graph: str) -> None:
    """Blocks. `graph` is the InferenceGraph's spec as JSON, with each step's `serviceUrl`."""
    uvicorn.run(app_for(json.loads(graph)), host="0.0.0.0", port=8080)


def app_for(spec: dict[str, Any]) -> FastAPI:
    app = FastAPI()

    @app.get("/readyz")
    def ready() -> dict[str, str]:
        return {"status": "ready"}

    @app.post("/")
    async def route(request: Request) -> JSONResponse:
        payload = await request.json()
        async with httpx.AsyncClient(timeout=60) as client:
            for step in spec["nodes"]["root"]["steps"]:
                name = step["serviceName"]
                answer = await client.post(f"{step['serviceUrl']}/v1/models/{name}:predict", json=payload)
                if answer.is_error:
                    return JSONResponse(answer.json(), status_code=answer.status_code)
        return JSONResponse(answer.json())

    return app
