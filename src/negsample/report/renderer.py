"""The process that draws: a question a line comes in, its answer as a line of JSON goes out, null where there is none.

It is run by its path and imports nothing of negsample, so that it is there at once. It ends when nobody asks any more.
"""

from __future__ import annotations

import base64
import json
import sys
from typing import Any

import vl_convert


def answer(to: str, **asked: Any) -> Any:
    """A Vega-Lite chart as SVG (``svg``) or compiled to Vega (``vega``); a chart's SVG as PNG in base64 (``png``)."""
    if to == "png":
        return base64.b64encode(vl_convert.svg_to_png(asked["svg"], scale=asked["scale"])).decode()
    chart = json.dumps(asked["spec"], allow_nan=False)
    draw = vl_convert.vegalite_to_svg if to == "svg" else vl_convert.vegalite_to_vega
    return draw(chart, config=asked["config"])


def serve() -> None:
    """Until there is nothing more to draw."""
    for line in sys.stdin.buffer:
        try:
            found = answer(**json.loads(line))
        except ValueError:
            found = None
        sys.stdout.write(json.dumps(found, allow_nan=False) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
