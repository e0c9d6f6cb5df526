"""The picture of the messages for the README: ``bench/results/messages.png``, out of ``messages.json``."""

import json
import math
from typing import Any, Final

from PIL import Image, ImageDraw, ImageFont

from bench.messages import CASES, RESULTS, SERVERS

TARGET: Final = RESULTS.with_suffix(".png")
NAMES: Final = {"nginx": "nginx, bare proxy", "naive": "naive gateway", "voltgate": "Voltgate"}
COLOURS: Final = {"nginx": "#8a8f98", "naive": "#d9a05b", "voltgate": "#2f6fde"}
TITLES: Final = {"Updated": "TransactionEvent Updated", "Started/Ended": "TransactionEvent Started, Ended"}
WIDTH: Final = 1200
LEFT: Final = 300
RIGHT: Final = 130
TOP: Final = 110
BAR: Final = 26
GAP: Final = 22
INK: Final = "#1f2328"
PALE: Final = "#d8dbe0"


def draw(cases: dict[str, Any], subtitle: str) -> Image.Image:
    """Return the picture: a bar for each server and message, on a logarithmic scale."""
    shown = [(case, cases[case]) for case in reversed(CASES)]
    height = TOP + sum(len(by_name) * BAR + GAP for _, by_name in shown) + 40
    picture = Image.new("RGB", (WIDTH, height), "white")
    pen = ImageDraw.Draw(picture)
    large, small = ImageFont.load_default(26), ImageFont.load_default(17)
    pen.text((30, 24), "CPU time for one message, wss in, ws out, and the answer back", INK, large)
    pen.text((30, 64), subtitle, "#59636e", small)
    most = max(each["cpu_us"]["median"] for _, by_name in shown for each in by_name.values())
    decades = math.ceil(math.log10(most))
    scale = (WIDTH - LEFT - RIGHT) / (decades - 1)
    for decade in range(1, decades + 1):
        x = LEFT + (decade - 1) * scale
        pen.line((x, TOP, x, height - 40), PALE)
        pen.text((x, height - 34), f"{10**decade:,} us", "#59636e", small, anchor="ma")
    y = TOP
    for case, by_name in shown:
        pen.text((LEFT - 12, y + len(by_name) * BAR / 2), TITLES.get(case, case), INK, small, anchor="rm")
        for name in SERVERS:
            if name in by_name:
                value = by_name[name]["cpu_us"]["median"]
                end = LEFT + max(0.0, math.log10(value) - 1) * scale
                pen.rectangle((LEFT, y + 2, end, y + BAR - 3), COLOURS[name])
                pen.text((end + 8, y + BAR / 2), f"{value:,.0f}  {NAMES[name]}", INK, small, anchor="lm")
                y += BAR
        y += GAP
    return picture


def main() -> None:
    """Draw the last whole run."""
    said = json.loads(RESULTS.read_text(encoding="utf-8"))
    machine = said["machine"]
    subtitle = f"Medians of {said['rounds']} rounds, 200 busy stations, one core ({machine['cpu']}). Logarithmic scale."
    draw(said["cases"], subtitle).save(TARGET, optimize=True)


if __name__ == "__main__":
    main()
