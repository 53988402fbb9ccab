"""The one error for bad input: its message is a sentence that says what is wrong and what to do."""


class InputError(ValueError):
    """Shown to the user as it stands, on a page or with exit code 2; anything else raised is a bug."""
