"""What stops a start before anything was started."""


class CannotStart(Exception):
    """Why the stack cannot be started: one line, for the person at the terminal."""
