"""Seconds and bytes as people say them."""


def duration(seconds: float) -> str:
    """Return ``45 s``, ``3 min 20 s`` or ``2 h 05 min``; below ten seconds with one decimal if it has one."""
    if seconds < 10 and seconds != int(seconds):  # noqa: PLR2004 - said in the docstring
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    if minutes:
        return f"{minutes} min {rest:02} s" if rest else f"{minutes} min"
    return f"{rest} s"


def megabytes(size: int) -> str:
    """Return a size in MiB."""
    return f"{size / 2**20:.0f} MiB"
