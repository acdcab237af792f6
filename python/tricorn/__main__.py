"""The command line: ``tricorn`` and ``python -m tricorn``."""

import sys

from tricorn import _native


def main() -> None:
    """Hand the arguments over to the server, and leave with its code.

    Leaving goes through the interpreter's own finalisation, in the arbiter and in each worker, so
    that ``atexit`` handlers run.
    """
    sys.exit(_native.main(sys.argv[1:]))


if __name__ == "__main__":
    main()
