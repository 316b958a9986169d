"""The difference of two contracts as one HTML page that needs nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja2 import Environment

from soapsvc.cli.output import count

if TYPE_CHECKING:
    from soapsvc.contract.contract_difference import ContractDifference

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{{ old }} and {{ new }}</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; overflow-wrap: anywhere;
  border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); }
.line { text-align: right; white-space: nowrap; }
b { white-space: nowrap; }
.identical { color: #1a7f37; }
.compatible { color: #9a6700; }
.breaking { color: #cf222e; }
</style></head><body>
<h1>{{ old }} → {{ new }}</h1>
<table>
<tr><th>messages</th><td><b class="{{ found.messages }}">{{ found.messages }}</b></td></tr>
<tr><th>contract</th><td><b class="{{ found.contract }}">{{ found.contract }}</b></td></tr>
<tr><th>a push by {{ old }} is valid by {{ new }}</th><td>{{ said[found.old_valid_under_new] }}</td></tr>
<tr><th>a push by {{ new }} is valid by {{ old }}</th><td>{{ said[found.new_valid_under_old] }}</td></tr>
</table>
{% if found.differences %}<h2>{{ count }}</h2>
<table><tr><th>class</th><th class="line">old line</th><th class="line">new line</th><th>where</th><th>what</th></tr>
{% for one in found.differences %}<tr><td><b class="{{ one.class_ }}">{{ one.class_ }}</b></td>
<td class="line">{{ one.old_line or "–" }}</td><td class="line">{{ one.new_line or "–" }}</td>
<td>{{ one.where }}</td><td>{{ one.what }}</td></tr>
{% endfor %}</table>{% else %}<p>No difference.</p>{% endif %}
</body></html>
"""


def difference_page(old: str, new: str, found: ContractDifference) -> str:
    """old, new: what the two are called."""
    page = Environment(autoescape=True).from_string(_PAGE)
    counted = count(len(found.differences), "difference")
    return page.render(old=old, new=new, found=found, count=counted, said={True: "yes", False: "no", None: "not known"})
