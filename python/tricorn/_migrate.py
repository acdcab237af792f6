"""``tricorn migrate``: what will be the same, better or different for a site of gunicorn's.

The site's config file is run, as its server would run it; nothing else of it is.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections import Counter

from tricorn._loading import Mistake
from tricorn._migrate_facts import HINDRANCES, VERDICTS
from tricorn._migrate_judge import Examiner, Row
from tricorn._migrate_site import Site

HELP = """\
Say what changes for a site that moves here from gunicorn

Usage: tricorn migrate [--json] [CONFIG] [-- COMMAND LINE]

CONFIG is a config file, as for -c; ./gunicorn.conf.py if none is named.
COMMAND LINE is gunicorn's: its arguments, the whole command, or a line of a
Procfile or of a systemd unit. GUNICORN_CMD_ARGS is read too.

The config file is run; the application is not loaded, and nothing is started.
Exit code: 0 if the site can move as it stands, 1 if something is not there yet
or refused, 2 if the site cannot be read.

  --json  Print JSON
"""

#: The widest that the names and values of a table are.
WIDEST = 48

#: A report: its tables, by their headings.
Report = dict[str, list[Row]]


def main(arguments: list[str]) -> int:
    """Print the report; return the code to exit with."""
    own, words = _split(arguments)
    if "--help" in own or "-h" in own:
        return _say(HELP, 0)
    files = [word for word in own if not word.startswith("-")]
    strange = [word for word in own if word.startswith("-") and word != "--json"]
    if strange or len(files) > 1:
        what = f"unexpected argument {(strange or files[1:])[0]!r}"
        return _complain(f"{what}; put gunicorn's after --, see tricorn migrate --help")
    try:
        # What the config file prints is no part of the report.
        with contextlib.redirect_stdout(sys.stderr):
            site = Site(files[0] if files else None, words)
            report = examine(site)
    except Mistake as mistake:
        return _complain(f"{mistake.what}; {mistake.mend}")
    except SystemExit as end:
        return _complain(f"the config file ends the program ({end.code}); give it what it wants")
    rows = [row for table in report.values() for row in table]
    code = 1 if any(row.verdict in HINDRANCES for row in rows) else 0
    return _say((as_json if "--json" in own else as_text)(site, report), code)


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Return the verb's own arguments, and those after ``--``."""
    if "--" not in arguments:
        return arguments, []
    at = arguments.index("--")
    return arguments[:at], arguments[at + 1 :]


def _complain(what: str) -> int:
    print(f"Error: {what}", file=sys.stderr, flush=True)
    return 2


def _say(text: str, code: int) -> int:
    """Print. Where nobody listens any more, there is nobody to tell."""
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(text)
        sys.stdout.flush()
    return code


def examine(site: Site) -> Report:
    """Judge all of a site."""
    examiner = Examiner(site)
    return {
        "settings": [*examiner.settings(), *examiner.unknown()],
        "hooks": list(examiner.hooks()),
        "imports": list(examiner.imports()),
        "packages": list(examiner.packages()),
    }


def count(report: Report) -> dict[str, int]:
    """Count the verdicts."""
    counted = Counter(row.verdict for table in report.values() for row in table)
    return {verdict: counted[verdict] for verdict in VERDICTS if counted[verdict]}


def as_text(site: Site, report: Report) -> str:
    """Write the report as lines."""
    lines = [site.place or "no config file"]
    for heading, rows in report.items():
        if not rows:
            continue
        named = [f"{row.name} = {row.value}" if row.value else row.name for row in rows]
        width = min(WIDEST, max(map(len, named)))
        lines += ["", heading.capitalize()]
        for row, name in zip(rows, named, strict=True):
            source = f" ({row.source})" if row.source else ""
            lines.append(f"  {row.verdict:9}  {name:{width}}  {row.sentence}{source}")
    counted = ", ".join(f"{number} {verdict}" for verdict, number in count(report).items())
    first = "Once the rest is mended, start" if any(map(count(report).get, HINDRANCES)) else "Start"
    lines += ["", counted or "nothing is set", f"{first} it with: {site.start()}"]
    return "\n".join(lines) + "\n"


def as_json(site: Site, report: Report) -> str:
    """Write the report as JSON."""
    tables = {heading: [row._asdict() for row in rows] for heading, rows in report.items()}
    whole = {
        "config": site.place,
        "application": site.app,
        **tables,
        "counts": count(report),
        "start": site.start(),
    }
    return json.dumps(whole, indent=2) + "\n"
