"""The process that draws: a chart a line comes in, its SVG as a line of JSON goes out, null where it is none.

It is run by its path and imports nothing of negsample, so that it is there at once. It ends when nobody asks any more.
"""

from __future__ import annotations

import json
import sys

import vl_convert


def serve() -> None:
    """Until there is nothing more to draw."""
    for line in sys.stdin.buffer:
        asked = json.loads(line)
        try:
            svg = vl_convert.vegalite_to_svg(json.dumps(asked["spec"], allow_nan=False), config=asked["config"])
        except ValueError:
            svg = None
        sys.stdout.write(json.dumps(svg, allow_nan=False) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
