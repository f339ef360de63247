"""Run the command line as `python -m restore_cli`."""

from restore_cli.cli import main

if __name__ == "__main__":
    main()
