"""Run the command line: `restore`, or `python -m restore_cli`."""

import sys

from restore_cli.errors import INTERRUPTED


def main() -> None:
    """Run the command line and exit; Ctrl-C ends it without a traceback from its first moment on."""
    try:
        from restore_cli.cli import app
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    app.main()


if __name__ == "__main__":
    main()
