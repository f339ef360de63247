"""The command line: arguments in, exit code out. Only this package knows Typer.

Nothing is imported here: what a worker is sent lies in modules of this package, and it needs none of the commands.
"""
