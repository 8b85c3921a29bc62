"""The table, on the terminal and in docs/: performance.json, the table inside performance.md, and the plot."""

import json
import os
import platform
import re
from datetime import UTC, datetime
from pathlib import Path

from figures import Row
from plot import plot
from processes import ROOT

JSON_FILE = ROOT / "docs/performance.json"
PAGE = ROOT / "docs/performance.md"
PLOT = ROOT / "docs/images/performance.svg"
_BETWEEN = re.compile(r"(<!-- table: written by make bench -->\n).*(<!-- end of table -->)", re.DOTALL)
Json = dict[str, object]


def write(rows: list[Row], left_out: list[str], *, whole: bool) -> None:
    """A run of some rows replaces those and keeps the others, each with the time of its own run."""
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    made = [{**row.as_json(), "measured": now} for row in rows]
    kept = [] if whole or not JSON_FILE.exists() else json.loads(JSON_FILE.read_text())["rows"]
    new = {_key(row): row for row in made}
    together = [new.pop(_key(row), row) for row in kept] + list(new.values())
    JSON_FILE.write_text(
        json.dumps({"machine": machine(), "rows": together, "left_out": left_out}, indent=2, ensure_ascii=False) + "\n"
    )
    PLOT.parent.mkdir(exist_ok=True)
    PLOT.write_text(plot(together))
    if PAGE.exists():
        page = PAGE.read_text()
        PAGE.write_text(_BETWEEN.sub(lambda found: found[1] + _markdown(together) + found[2], page))


def show(rows: list[Row], left_out: list[str]) -> None:
    print(_text([row.as_json() for row in rows]))
    for what in left_out:
        print(f"left out: {what}")


def _key(row: Json) -> tuple[object, object]:
    return row["name"], row["against"]


def machine() -> Json:
    cpu = next((line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "")
    memory = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    return {
        "cpu": cpu or platform.processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 1024**2, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "shared_by": "API server, etcd, Redis, functions, API and load, all on this machine",
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def _amount(value: object, unit: object) -> str:
    return "–" if value is None else f"{value:.3g} {unit}" if float(str(value)) < 1000 else f"{value:,.0f} {unit}"


def _cells(row: Json) -> list[str]:
    return [
        str(row["name"]),
        str(row["against"]),
        _amount(row["ours"], row["unit"]),
        _amount(row["peer"], row["unit"]),
        "–" if row["ratio"] is None else f"{row['ratio']:.2f}×",
        str(row["goal"]),
        "yes" if row["ok"] else "**no**",
    ]


_HEAD = ["what", "against", "ours", "peer", "ratio", "goal", "met"]


def _text(rows: list[Json]) -> str:
    lines = [_HEAD, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    table = [
        "  ".join(cell.strip("*").ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines
    ]
    return "\n".join(table)


def _markdown(rows: list[Json]) -> str:
    lines = [_HEAD, ["---"] * len(_HEAD), *(_cells(row) for row in rows)]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    notes = "\n".join(f"- {row['name']}, {row['against']} ({row['measured']}): {row['note']}." for row in rows)
    described = machine()
    where = f"{described['cores']} cores ({described['cpu']}), {described['memory_gib']} GiB, shared by all parts."
    return f"\n{table}\n\nMeasured on {where}\n\n{notes}\n"
