"""What is expected, as ratios within one run, and whether it was found."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks import assistant, callbacks, chat, inbox, queues, search, widget
from benchmarks.inbox import LATENCY, NO_LATENCY
from benchmarks.results import Goal, Results, Series, number


def judge(results: Results) -> list[Goal]:
    """One line for each goal, whether it was met or not."""
    return [
        *_cycles(results),
        *_counts(results),
        *_reactions(results),
        *_queue(results),
        *_api(results),
        *_chat(results),
        *_widget(results),
        *_assistant(results),
        *_search(results),
        *_memory(results),
        *_starts(results),
    ]


def _goal(
    what: str,
    wanted: str,
    value: float | None,
    holds: Callable[[float], bool],
    unit: str = "x",
    more: str = "",
) -> Goal:
    if value is None:
        return Goal(what, wanted, "–", None)
    return Goal(what, wanted, f"{number(value) if value >= 0 else f'{value:.2f}'} {unit}{more}", holds(value))


def _median(found: Series | None) -> float | None:
    return found.median if found else None


def _share(found: Series | None, part: float) -> float | None:
    return found.share(part) if found else None


def _ratio(ours: Series | None, other: Series | None) -> float | None:
    return ours.median / other.median if ours and other else None


def _beside_bare(results: Results, case: str) -> str:
    ratio = results.ratio(case, "ours", "bare clicks", "ms")
    return f" (the bare clicks {number(ratio)} x)" if ratio is not None else ""


def _sizes(results: Results) -> list[tuple[int, str]]:
    names = [one.case for one in results.series if one.group == inbox.GROUP and one.who == "ours"]
    found = {tuple(name.split(", N=")[1].split(", ", 1)) for name in names if name.startswith("idle")}
    return sorted((int(n), latency) for n, latency in found)


def _cycles(results: Results) -> list[Goal]:
    goals = []
    for n, latency in _sizes(results):
        case, where = f"N={n}, {latency}", f"N={n:,}, {latency}"
        for unit, name in (("ms", "wall"), ("ms CPU", "CPU")):
            ratio = results.ratio(f"idle cycle, {case}", "ours", "floor", unit)
            goals.append(_goal(f"idle cycle, {name}, {where}", "≤ 1.2 x floor", ratio, lambda v: v <= 1.2))
        busy = f"cycle, 2 changed, {case}"
        goals.append(
            _goal(
                f"cycle with 2 changed, {where}",
                "≤ 1.3 x floor",
                results.ratio(busy, "ours", "floor", "ms"),
                lambda v: v <= 1.3,
            )
        )
        send = results.ratio(f"one send, {case}", "ours", "floor", "ms")
        if send is not None:
            more = _beside_bare(results, f"one send, {case}")
            goals.append(_goal(f"one send, {where}", "≤ 1.5 x floor", send, lambda v: v <= 1.5, more=more))
        for unit, name in (("ms", "wall"), ("ms CPU", "CPU")):
            after = results.ratio(f"cycle after a reply, {case}", "ours", "floor", unit)
            if after is not None:
                what = f"cycle after a reply, {name}, {where}"
                goals.append(_goal(what, "≤ 1.3 x floor", after, lambda v: v <= 1.3))
    naive = results.ratio(f"cycle, 2 changed, N=200, {LATENCY}", "naive", "ours", "ms")
    goals.append(
        _goal(
            "cycle with 2 changed against the naive design, N=200, with latency",
            "≥ 100 x less",
            naive,
            lambda v: v >= 100,
        )
    )
    for kind in ("idle cycle", "cycle, 2 changed"):
        for latency in (NO_LATENCY, LATENCY):
            small = results.find(f"{kind}, N=20, {latency}", "ours", "ms")
            large = results.find(f"{kind}, N=1000, {latency}", "ours", "ms")
            grown = _ratio(large, small)
            bare = [results.find(f"{kind}, N={n}, {latency}", "floor", "ms") for n in (20, 1000)]
            drift = (
                f" (the floor itself {bare[1].median / bare[0].median:.2f} x)" if bare[0] and bare[1] else ""
            )
            goals.append(
                _goal(
                    f"growth, {kind}, {latency}",
                    "N=1,000 ≤ 1.15 x N=20",
                    grown,
                    lambda v: v <= 1.15,
                    "x",
                    drift,
                )
            )
    return goals


def _counts(results: Results) -> list[Goal]:
    goals = []
    idle = {case: kinds for case, kinds in results.counts.items() if " idle cycles, " in case}
    if idle:
        wrong = [
            case
            for case, kinds in idle.items()
            if set(kinds) - {"list"} or kinds.get("list", 0) > int(case.split()[0])
        ]
        found = "all so" if not wrong else "; ".join(wrong)
        goals.append(
            Goal("idle cycle, requests", "0 documents, ≤ 1 list, 0 threads, every N", found, not wrong)
        )
    for case, wanted in (("cycle with 2 changed", {"thread": 2}), ("one send", {"send": 1})):
        kinds = [k for name, k in results.counts.items() if name.startswith(case)]
        if kinds:
            right = all(
                k.get("document", 0) == k.get("asset", 0) == 0 and wanted.items() <= k.items() for k in kinds
            )
            told = ", ".join(f"{n} {kind}" for kind, n in wanted.items())
            goals.append(
                Goal(f"{case}, requests", f"0 documents, {told}", "all so" if right else str(kinds), right)
            )
    return goals


def _reactions(results: Results) -> list[Goal]:
    goals = []
    for latency in (NO_LATENCY, LATENCY):
        told = results.find(f"the same without the page's fetch of the conversation, {latency}", "ours", "ms")
        goals.append(
            _goal(
                f"message shown → AI asked, p95, {latency}",
                "≤ 250 ms beyond the page's fetch",
                _share(told, 0.95),
                lambda v: v <= 250,
                "ms",
            )
        )
        case = f"guest writes → verified reply, {latency}"
        ratio = results.ratio(case, "ours", "floor", "ms")
        more = _beside_bare(results, case)
        goals.append(_goal(case, "≤ 1.5 x floor", ratio, lambda v: v <= 1.5, more=more))
    whole = results.find(f"guest writes → verified reply, {NO_LATENCY}", "ours", "ms")
    goals.append(
        _goal(
            "guest writes → verified reply, median",
            "≤ 1 s",
            _median(whole),
            lambda v: v <= 1000,
            "ms",
        )
    )
    for dialect in ("SQLite", "PostgreSQL"):
        for where, most in (("one process", 10), ("two processes", 50)):
            found = results.find(f"call answered → claimed, {dialect}, {where}", "ours", "ms")
            whole = results.find(f"call on the wire → claimed, {dialect}, {where}", "ours", "ms")
            more = f" (from the call on the wire {number(whole.share(0.95))} ms)" if whole else ""
            goals.append(
                _goal(
                    f"callback → claim, p95, {dialect}, {where}",
                    f"≤ {most} ms",
                    _share(found, 0.95),
                    lambda v, most=most: v <= most,  # type: ignore[misc]
                    "ms",
                    more,
                )
            )
    idle = results.find("idle", "syncsend", "% of a core")
    goals.append(
        _goal(
            "idle workers (and the API), CPU",
            "≤ 0.5 % of a core",
            _median(idle),
            lambda v: v <= 0.5,
            "%",
        )
    )
    return goals


def _queue(results: Results) -> list[Goal]:
    mine = results.find("SQLite", "ours", "jobs/s")
    on_postgres = results.find("PostgreSQL", "ours", "jobs/s")
    huey, procrastinate = (
        results.find("SQLite", "huey", "jobs/s"),
        results.find("PostgreSQL", "procrastinate", "jobs/s"),
    )
    goals = [
        _goal(
            "queue against huey (SQLite)",
            "≥ 2 x jobs/s",
            _ratio(mine, huey),
            lambda v: v >= 2,
        ),
        _goal(
            "queue on SQLite against procrastinate",
            "≥ 10 x jobs/s",
            _ratio(mine, procrastinate),
            lambda v: v >= 10,
        ),
        _goal(
            "queue on PostgreSQL against procrastinate",
            "≥ 10 x jobs/s",
            _ratio(on_postgres, procrastinate),
            lambda v: v >= 10,
        ),
    ]
    for dialect in ("SQLite", "PostgreSQL"):
        ratio = results.ratio(dialect, "ours", "plain Core", "µs CPU a job")
        goals.append(_goal(f"CPU a job, {dialect}", "≤ 1.5 x plain Core", ratio, lambda v: v <= 1.5))
    doubles = [one for one in results.series if one.group == queues.GROUP and one.unit in ("doubles", "lost")]
    if doubles:
        worst = max(max(one.values) for one in doubles)
        goals.append(Goal("jobs given out twice or lost, 2 and 4 processes", "0", f"{worst:.0f}", worst == 0))
    for dialect in ("SQLite", "PostgreSQL"):
        deep = [
            one
            for one in results.series
            if one.case.startswith("one claim beside") and one.case.endswith(dialect)
        ]
        if len(deep) > 1:
            goals.append(
                _goal(
                    f"{deep[-1].case} against {deep[0].case.split(' rows')[0].rpartition(' ')[2]}",
                    "as fast (≤ 1.5 x)",
                    _ratio(deep[-1], deep[0]),
                    lambda v: v <= 1.5,
                )
            )
    return goals


def _api(results: Results) -> list[Goal]:
    case = f"{callbacks.CLIENTS} clients"
    goals = []
    for kind in ("core", "plain"):
        other = callbacks.WHO[kind]
        ratio = results.ratio(case, "ours", other, "requests/s")
        goals.append(_goal(f"callback API against {other}", "≥ 0.8 x", ratio, lambda v: v >= 0.8))
    calls = results.find(f"{case}, each call", "ours", "ms")
    goals.append(
        _goal(
            "callback API, p99, 16 clients",
            "≤ 100 ms",
            _share(calls, 0.99),
            lambda v: v <= 100,
            "ms",
        )
    )
    return goals


def _chat(results: Results) -> list[Goal]:
    found = results.find(chat.ONE_BY_ONE, "ours", "ms")
    beside = results.find(chat.ONE_BY_ONE, "a relay without storage", "ms")
    if found is None:
        return []
    more = f" (a relay that stores nothing: {number(beside.share(0.95))} ms)" if beside else ""
    late = found.share(0.95)
    return [_goal("chat, over the AI's time, p95", "≤ 40 ms", late, lambda v: v <= 40, "ms", more)]


def _widget(results: Results) -> list[Goal]:
    taken = results.find(widget.TAKEN, "ours", "ms")
    shown = results.find(widget.ON_SCREEN, "ours", "ms")
    if taken is None or shown is None:
        return []
    return [
        _goal("widget, message → 202, p95", "≤ 30 ms", taken.share(0.95), lambda v: v <= 30, "ms"),
        _goal(
            "widget, AI's answer → on screen, p95", "≤ 100 ms", shown.share(0.95), lambda v: v <= 100, "ms"
        ),
    ]


def _assistant(results: Results) -> list[Goal]:
    ours = results.find(assistant.CASE, "ours", "ms")
    floor = results.find(assistant.CASE, assistant.FLOOR, "ms")
    if ours is None or floor is None:
        return []
    ratio, median = ours.share(0.95) / floor.share(0.95), ours.median / floor.median
    more = f" (medians {number(median)} x)"
    what = "one answer of the assistant, without the model's own time, p95"
    return [_goal(what, f"≤ 1.5 x {assistant.FLOOR}", ratio, lambda v: v <= 1.5, more=more)]


def _search(results: Results) -> list[Goal]:
    ours, floor = (
        results.find(search.CASE, "ours", "ms"),
        results.find(search.CASE, "bare FTS5 and numpy", "ms"),
    )
    if ours is None or floor is None:
        return []
    ratio, median = ours.share(0.95) / floor.share(0.95), ours.median / floor.median
    more = f" (medians {number(median)} x)"
    return [
        _goal(
            "search among 10,000 facts, p95", "≤ 2 x bare FTS5 and numpy", ratio, lambda v: v <= 2, more=more
        )
    ]


def _memory(results: Results) -> list[Goal]:
    python = results.find("Python, growth", "ours", "MiB")
    browser = results.find("browser and driver, growth", "ours", "%")
    case = "a further account"
    return [
        _goal(
            "Python over cycles and sends",
            "≤ +2 MiB",
            _median(python),
            lambda v: v <= 2,
            "MiB",
            f" ({python.note})" if python else "",
        ),
        _goal(
            "browser and driver over them",
            "≤ +10 %",
            _median(browser),
            lambda v: v <= 10,
            "%",
        ),
        _goal(
            "a further account in the same browser",
            "≤ 1.15 x a bare context and page",
            results.ratio(case, "ours, same browser", "bare context and page", "MiB PSS"),
            lambda v: v <= 1.15,
        ),
    ]


def _starts(results: Results) -> list[Goal]:
    goals = []
    for what in ("status", "the one-liner"):
        found = results.find(what, "ours", "s")
        goals.append(
            _goal(
                f"start of {what}",
                "≤ 0.6 s",
                _median(found),
                lambda v: v <= 0.6,
                "s",
            )
        )
    asked = results.find("inbox asked for", "ours", "s")
    launched = results.find("browser launched", "floor", "s")
    goals.append(
        _goal(
            "syncsend asks for the inbox, against a bare launch of the browser",
            "≤ 1.5 x",
            _ratio(asked, launched),
            lambda v: v <= 1.5,
        )
    )
    goals.append(
        _goal(
            "syncsend has read the inbox, against bare launch, load and read",
            "≤ 1.5 x",
            results.ratio("inbox read", "ours", "floor", "s"),
            lambda v: v <= 1.5,
        )
    )
    return goals
