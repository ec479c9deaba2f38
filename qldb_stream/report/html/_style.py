"""How pages look: on a screen in both schemes, and on paper."""

from __future__ import annotations

from typing import Final

__all__ = ["STYLE"]

STYLE: Final = """
:root { color-scheme: light dark; --text: #1b1f24; --page: #fff; --soft: #57606a;
  --line: #d0d7de; --good: #1a7f37; --bad: #b3261e; --held: #2f6fb3; --part: #c98a00;
  --none: #e4e8ec; }
@media (prefers-color-scheme: dark) { :root { --text: #e6edf3; --page: #0d1117;
  --soft: #9aa4af; --line: #3d444d; --good: #3fb950; --bad: #ff7b72; --held: #5aa2ec;
  --part: #e3b341; --none: #21262d; } }
body { color: var(--text); background: var(--page); font: 16px/1.5 system-ui, sans-serif;
  max-width: 72rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 2.2rem; }
table { border-collapse: collapse; width: 100%; margin: .6rem 0 1.2rem; font-size: .9rem; }
caption { text-align: left; font-weight: 600; padding: .3rem 0; }
th, td { text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0;
  border-bottom: 1px solid var(--line); }
th.n, td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
th.w, td.w { white-space: nowrap; } thead th { overflow-wrap: normal; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1.2rem; }
dt { color: var(--soft); } dd { margin: 0; }
pre { white-space: pre-wrap; border-left: .2rem solid var(--line); padding: .3rem .8rem; }
.verdict { font-size: 1.1rem; border-left: .4rem solid var(--bad); padding: .3rem .8rem; }
.verdict.ok { border-color: var(--good); }
.soft, footer { color: var(--soft); font-size: .9rem; }
th.who { width: 25%; font-weight: normal; } td.bar { width: 50%; padding-right: 1rem; }
svg { display: block; width: 100%; height: 1.1rem; background: var(--none); }
.held { fill: var(--held); } .part { fill: var(--part); } .missing { fill: var(--bad); }
.key { display: inline-block; width: 1em; height: 1em; vertical-align: -.15em;
  margin: 0 .3em 0 1em; }
.key.held { background: var(--held); } .key.part { background: var(--part); }
.key.missing { background: var(--bad); }
@media print { body { margin: 0; max-width: none; font-size: 10pt; }
  tr, svg, dl { break-inside: avoid; } h2, caption { break-after: avoid; }
  svg, .key { -webkit-print-color-adjust: exact; print-color-adjust: exact; } }
"""
