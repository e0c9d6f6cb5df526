"""Files sent to where others want them: guarded against being sent elsewhere (attack B6)."""


class UploadFailed(Exception):
    """The file isn't where it is to be; the text says why, without a word of the server's and without a secret."""

    def __init__(self, text: str, *, is_final: bool) -> None:
        """``is_final``: trying again changes nothing."""
        super().__init__(text)
        self.is_final = is_final
