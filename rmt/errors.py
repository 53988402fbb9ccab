"""The error for bad input: its message is a sentence that says what is wrong and what to do."""


class InputError(ValueError):
    """An error in the user's input, whose message a page or a command (exit code 2) shows; other errors are bugs."""
