"""The peer of the API's memory: FastAPI with one route."""

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
def root() -> dict[str, bool]:
    return {"ok": True}
