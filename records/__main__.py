"""Starts the command line. Its imports take half a second, and Ctrl-C ends them without a traceback too."""

import sys


def main() -> None:
    """Run `python -m records`."""
    try:
        from records.commands import app  # noqa: PLC0415

        app(prog_name="python -m records")
    except KeyboardInterrupt:
        print("Stopped", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
