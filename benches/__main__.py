"""Takes the measurements: ``python -m benches [--loads …] [--servers …] [--rounds N]``."""

from __future__ import annotations

import argparse
import sys

from benches.loads import LOADS, Load
from benches.measure import Failed, measure
from benches.report import Results, table, targets
from benches.servers import SERVERS, Server


def main() -> int:
    """Measure and report."""
    options = arguments()
    summary = []
    for load in LOADS:
        if options.loads and load.name not in options.loads:
            continue
        results, failed = rounds(load, chosen(load, options.servers), options)
        print(table(load, results, failed), flush=True)
        lines = list(targets(load, results))
        print("\n".join(lines) + "\n", flush=True)
        summary += [f"{load.name}\n" + "\n".join(lines)]
    print("Aims:\n" + "\n".join(summary))
    return 0


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--loads", nargs="*", choices=[load.name for load in LOADS])
    parser.add_argument("--servers", nargs="*", choices=[server.name for server in SERVERS])
    parser.add_argument("--rounds", type=int, default=3, help="of all servers, interleaved")
    parser.add_argument("--seconds", type=int, default=4, help="of load in each measurement")
    return parser.parse_args()


def chosen(load: Load, names: list[str] | None) -> list[Server]:
    """Return the servers that a load measures."""
    size = [server for server in SERVERS if server.several == load.several]
    every = load.variants or load.several
    fitting = [server for server in size if every or not server.is_variant]
    return [server for server in fitting if not names or server.name in names]


def rounds(
    load: Load, servers: list[Server], options: argparse.Namespace
) -> tuple[Results, dict[str, str]]:
    """Measure all servers, one after the other, as often as asked for."""
    results: Results = {}
    failed: dict[str, str] = {}
    for number in range(options.rounds):
        # Each round begins with another, so that none always follows the same.
        turn = number % len(servers)
        for server in servers[turn:] + servers[:turn]:
            if server.name in failed:
                continue
            progress = f"{load.name}, round {number + 1} of {options.rounds}: {server.name}"
            print(f"\r\033[K{progress}", end="", file=sys.stderr, flush=True)
            try:
                result = measure(server, load, options.seconds)
            except Failed as error:
                failed[server.name] = str(error)
                results.pop(server.name, None)
            else:
                results.setdefault(server.name, []).append(result)
    print("\r\033[K", end="", file=sys.stderr, flush=True)
    return results, failed


if __name__ == "__main__":
    sys.exit(main())
