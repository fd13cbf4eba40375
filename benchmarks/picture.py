"""Draws the main result as SVG: bars for the time of a message over a link of 50 ms, to one and to fifty recipients."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from .figures import figure, milliseconds, times
from .measure import Cell
from .peers import PEERS, REFERENCE
from .scenarios import FAR, FAR_MANY, Scenario
from .targets import Cells

WIDTH, LEFT, BAR_END = 860, 300, 690
ROW, BAR = 26, 16
#: The picture has no background: these colours can be read on white and on black paper.
STYLE = """\
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 }
.small { font-size: 12px; fill: #59636e }
.ours text { font-weight: 600 }
rect { fill: #8c959f }
.ours rect { fill: #0969da }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc }
  .small { fill: #9198a1 }
  rect { fill: #656c76 }
  .ours rect { fill: #4493f8 }
}"""


def svg(cells: list[Cell]) -> str:
    """Return the picture; a panel whose case was not measured is left out."""
    found = Cells(cells)
    body: list[str] = []
    top = 0
    for scenario, title in (
        (FAR, "1 KB to 1 recipient, 50 ms link, STARTTLS + AUTH"),
        (FAR_MANY, "1 KB to 50 recipients, 50 ms link, STARTTLS + AUTH"),
    ):
        names = [name for name in PEERS if found.seconds(scenario, name)]
        if names:
            body += _panel(found, scenario, title, names, top)
            top += 52 + ROW * len(names)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" height="{top}" '
        f'role="img" aria-label="Time for each message over a link of 50 ms">\n<style>\n{STYLE}\n</style>\n'
        + "\n".join(body)
        + "\n</svg>\n"
    )


def _panel(found: Cells, scenario: Scenario, title: str, names: list[str], top: int) -> Iterator[str]:
    medians = {name: figure(found.seconds(scenario, name)).median for name in names}
    longest = max(medians.values())
    yield f'<text class="title" x="0" y="{top + 18}">{escape(title)}</text>'
    hint = "milliseconds for each message; less is better"
    yield f'<text class="small" x="{WIDTH}" y="{top + 18}" text-anchor="end">{hint}</text>'
    for index, name in enumerate(names):
        y = top + 32 + ROW * index
        width = max(1.0, (BAR_END - LEFT) * medians[name] / longest)
        ratio = found.faster(scenario, name, REFERENCE)
        label = f"{milliseconds(medians[name])} ms" + (
            f" ({times(ratio)})" if ratio is not None and name != REFERENCE else ""
        )
        plain = PEERS[name].title.replace("*", "").replace("`", "")  # it is Markdown
        yield f'<g class="{"ours" if PEERS[name].ours else "peer"}">'
        yield f'<text x="{LEFT - 10}" y="{y + 13}" text-anchor="end">{escape(plain)}</text>'
        yield f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2"/>'
        yield f'<text x="{LEFT + width + 8:.1f}" y="{y + 13}">{escape(label)}</text>'
        yield "</g>"
