"""The command line: ``tricorn`` and ``python -m tricorn``."""

import sys

from tricorn import _native


def main() -> None:
    """Hand the arguments over to the server, and leave with its code.

    Leaving goes through the interpreter's own finalisation, in the arbiter and in each worker, so
    that ``atexit`` handlers run.
    """
    arguments = sys.argv[1:]
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            sys.stderr.write(f"Error: the argument {argument!r} is not UTF-8; write it as UTF-8\n")
            sys.exit(2)
    sys.exit(_native.main(arguments))


if __name__ == "__main__":
    main()
