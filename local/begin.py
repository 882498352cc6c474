"""Imports and runs `local.run`. Ctrl-C in this first second ends the process at once, without a traceback."""

import signal

if __name__ == "__main__":
    # Nothing is running yet that would need an orderly end; running_stack has its own handler.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

    from local.run import app

    app(prog_name="python -m local")
