"""The report of a long run, as Markdown."""

from __future__ import annotations

from typing import Any

_AT_95 = 3.0
"""No failure in n trials: the true rate is below 3/n, with 95 % confidence."""
LINES_SHOWN = 30


def as_markdown(facts: dict[str, Any]) -> str:
    """The facts of ``soak.py`` for a person."""
    lines = [
        "# Long run",
        "",
        f"`{facts['command']}` at commit {facts['commit']}, {facts['started']}, {facts['machine']}: {facts['ended']}.",
    ]
    for part in facts["parts"]:
        lines += ["", *_part(part)]
    return "\n".join(lines)


def _part(part: dict[str, Any]) -> list[str]:
    counts, trials = part["counts"], part["trials"]
    pace = trials / part["seconds"] if part["seconds"] else 0.0
    lines = [
        f"## Level {part['level']}: {part['words']}, {part['database']}",
        "",
        f"{trials:,} of {part['wanted']:,} trials in {part['seconds']:,.0f} s ({pace:.1f} in a second), "  # noqa: ISC004
        f"seeds {part['seeds'][0]} to {part['seeds'][1]}.",
        "",
        "| what | count |",
        "| --- | ---: |",
        *[f"| {name} | {number:,} |" for name, number in counts.items()],
        *[f"| longest {name} | {seconds:.2f} s |" for name, seconds in part["longest"].items()],
        *[f"| **{promise}** | **{number}** |" for promise, number in part["broken"].items()],
    ]
    settled = sum(number for name, number in counts.items() if name in ("ended sent", "ended unconfirmed"))
    if settled:
        share = counts.get("ended unconfirmed", 0) / settled
        lines.append(f"| share of unconfirmed among what was pressed or armed | {share:.2%} |")
    if trials and not part["lines"] and "plans" not in counts:
        lines += [
            "",
            f"No promise was broken: in such trials the rate is below {_AT_95 / trials:.2g} (95 %).",
        ]
    if part["lines"]:
        shown = part["lines"][:LINES_SHOWN]
        lines += ["", f"Broken promises ({len(part['lines'])}):", "", *[f"* {line}" for line in shown]]
    return lines
