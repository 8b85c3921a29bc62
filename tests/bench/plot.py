"""The table as an SVG: how much of its goal each row uses. A bar that passes the line has missed it."""

from html import escape

_ROW, _LEFT, _SCALE, _MOST = 26, 380, 190, 2.5


def plot(rows: list[dict]) -> str:
    height = _ROW * len(rows) + 50
    width = _LEFT + round(_SCALE * _MOST) + 90
    goal = _LEFT + _SCALE
    bars = "".join(_bar(row, 30 + _ROW * number) for number, row in enumerate(rows))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        f'font-size="12" role="img" aria-label="How much of its goal each figure uses">\n'
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>\n{bars}'
        f'<line x1="{goal}" y1="20" x2="{goal}" y2="{height - 20}" stroke="#222222" stroke-dasharray="4 3"/>\n'
        f'<text x="{goal}" y="14" text-anchor="middle">the goal</text>\n</svg>\n'
    )


def _bar(row: dict, top: int) -> str:
    used = float(row["of_goal"])
    length = max(2, round(_SCALE * min(used, _MOST)))
    colour = "#2b7a4b" if row["ok"] else "#b3401f"
    label = f"{row['name']} / {row['against']}" if row["peer"] is not None else str(row["name"])
    short = label if len(label) <= 58 else label[:57] + "…"
    return (
        f'<text x="{_LEFT - 8}" y="{top + 13}" text-anchor="end">{escape(short)}</text>\n'
        f'<rect x="{_LEFT}" y="{top}" width="{length}" height="18" fill="{colour}"/>\n'
        f'<text x="{_LEFT + length + 6}" y="{top + 13}">{used:.2f}</text>\n'
    )
