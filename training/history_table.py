"""Prints the history of the pointer: a table on a terminal, tab-separated values in a pipe."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from training.documents import State, describe_candidate
from training.history import Entry
from training.history_check import History
from training.rounding import format_figure

COLUMNS = (
    *("sequence", "at", "who", "action", "from", "to"),
    *("candidate_from", "mode_from", "share_from", "candidate_to", "mode_to", "share_to"),
    *("reason", "rmse", "coverage", "forced", "status"),
)


def print_history(console: Console, bucket: str, history: History) -> None:
    """Print a table, lines on a narrow terminal, or tab-separated values without a terminal; newest first."""
    entries = [history.entries[number] for number in sorted(history.entries, reverse=True)]
    if not console.is_terminal:
        print(*COLUMNS, sep="\t")
        for entry in entries:
            print(*_list_values(entry, history), sep="\t")
        return
    if not entries:
        console.print(Text(f"No change of the served version is written down in {bucket}"))
        return
    table = _build_table(bucket, entries, history)
    if table.__rich_measure__(console, console.options.update(max_width=10_000)).maximum <= console.width:
        console.print(table)
        return
    for entry in entries:
        title = f"{entry.sequence} {entry.action} {entry.after.version} {_describe_status(entry, history)}".rstrip()
        console.print(Text(title, style=_choose_style(entry, history)), soft_wrap=True)
        tried = _describe_trials(entry).replace("\n", "\n         ")
        lines = [f"{entry.at[:19]} {entry.who}", *([f"Tried: {tried}"] if tried else []), entry.reason]
        console.print(Text("\n".join(f"  {line}" for line in lines)))


def describe_proof(history: History) -> list[str]:
    """Say since when every change has an entry, and what was found of a history without a fault."""
    if not history.entries:
        return ["The history has not begun: the next change of the served version is number 1"]
    first = history.entries[min(history.entries)]
    begin = f"The history begins with number {first.sequence}, at {first.at}"
    if first.before:
        begin += f": how {first.before.version} came to be served before is not written down"
    total, done = len(history.entries), len(history.carried_out)
    return [
        begin,
        f"None of {total} is missing, altered or out of order; {done} carried out, {total - done} not; "
        f"number {history.sequence} is in effect",
    ]


def _list_values(entry: Entry, history: History) -> list[str]:
    figures = [entry.gates.get(name) for name in ("rmse", "coverage")]
    forced = " ".join(str(entry.gates.get("forced") or "").split())
    return [
        str(entry.sequence),
        entry.at,
        entry.who,
        entry.action,
        entry.before.version if entry.before else "",
        entry.after.version,
        *_list_candidate(entry.before),
        *_list_candidate(entry.after),
        " ".join(entry.reason.split()),
        *("" if not isinstance(figure, int | float) else f"{figure:.3f}" for figure in figures),
        forced,
        _describe_status(entry, history),
    ]


def _build_table(bucket: str, entries: list[Entry], history: History) -> Table:
    table = Table(title=Text(f"Who decided what is served, in {bucket}"))
    table.add_column("No.", justify="right", no_wrap=True)
    table.add_column("When", no_wrap=True)
    # Who and version are never folded, because people copy them.
    table.add_column("Who", no_wrap=True)
    table.add_column("What", no_wrap=True)
    table.add_column("Version", no_wrap=True)
    table.add_column("Tried", no_wrap=True)
    table.add_column("Why", max_width=40)
    table.add_column("RMSE", justify="right", no_wrap=True)
    table.add_column("Note", max_width=40)
    for entry in entries:
        rmse = entry.gates.get("rmse")
        forced = entry.gates.get("forced")
        notes = [_describe_status(entry, history), f"forced: {forced}" if forced else ""]
        table.add_row(
            str(entry.sequence),
            entry.at[:19],
            Text(entry.who),
            entry.action,
            entry.after.version,
            Text(_describe_trials(entry)),
            Text(entry.reason),
            format_figure(rmse) if isinstance(rmse, int | float) else "-",
            Text(", ".join(filter(None, notes))),
            style=_choose_style(entry, history),
        )
    return table


def _list_candidate(state: State | None) -> list[str]:
    tried = state.candidate if state and isinstance(state.candidate, dict) else {}
    values = [str(tried.get(name, "")) for name in ("version", "mode", "share")]
    return [value if value.isprintable() else "?" for value in values]


def _describe_trials(entry: Entry) -> str:
    """The candidate, in two lines where the entry changes it; an empty text without one."""
    before, after = (
        describe_candidate(state.candidate) if state and state.candidate is not None else "none"
        for state in (entry.before, entry.after)
    )
    return f"{before}\n→ {after}" if before != after else "" if after == "none" else after


def _describe_status(entry: Entry, history: History) -> str:
    if entry.sequence == history.sequence:
        return "in effect"
    return "" if entry.sequence in history.carried_out else "not carried out"


def _choose_style(entry: Entry, history: History) -> str:
    if entry.sequence == history.sequence:
        return "bold green"
    return "" if entry.sequence in history.carried_out else "dim"
