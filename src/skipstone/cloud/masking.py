"""Secrets out of text: what Skipstone writes or shows never holds one.

Two rules, one after the other. By place: the value of a key whose name says that it is a secret (oslo's
list, widened), the password of a URL, a private key. By value: a secret found in one place is masked in every
other, so that a password repeated in a shell script or an error message is gone too. When in doubt it is
masked: a plan loses little by a word too many, an operator loses a lot by one too few.
"""

import io
import re
from collections.abc import Iterable
from urllib.parse import quote, unquote

MASK = "***"

_ANYWHERE = (
    "password|passwd|passphrase|passcode|pswd|secret|credential|cookie|hash_path_(?:suffix|prefix)|root_token"
)
_AT_END = "pass|pwd|tokens?|keys?|kek|community|jwt|authorization_code|approle_role_id|wsrep[_-]sst[_-]auth"
_WHOLE = "replication_device|backend_argument"
"""Options whose values are lists of settings, passwords among them."""
_HARMLESS = re.compile(
    r"[_.-](?:file|path|dir|directory|repository|regex\w*|days|count|length|algorithm|rounds|age|timeout|ttl|"
    r"expir\w+|interval|required|enabled|provider|driver|backend|type|size|name|bits|manager|roles?|plugin|"
    r"method|section|config|format|uri|host|port|cache\w*|factory)s?$"
)
_NAME = re.compile(rf"{_ANYWHERE}|(?:{_AT_END})$|^pass_|^(?:{_WHOLE})$", re.IGNORECASE)
_SWITCH = re.compile(r"(?:true|false|yes|no|none)?", re.IGNORECASE)

_KEY = r"[A-Za-z_][\w.-]*"
_LINE = re.compile(
    rf"^(?P<head>\s*(?:-\s+|export\s+|set\s+)?(?P<q>[\"']?)(?P<key>{_KEY})(?P=q)\s*[=:]\s*)(?P<value>.*)$"
)
_BARE = re.compile(rf"^(?P<head>\s*(?P<key>{_KEY})\s+)(?P<value>[^\s=:{{].*)$")
_WORD = r"(?:(?<![\w./-])|(?<=--))"
"""Where a name begins: not amid a word or a path, but after the dashes of a program's option."""

_INLINE = re.compile(
    rf"(?P<head>(?<![\w./-])(?P<q>[\"']?)(?P<key>{_KEY})(?P=q)(?:\s*=\s*|(?<=[\"'])\s*:\s*|:\s+))"
    r"(?P<value>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[^,;&}\]<>]+)"
)
_OPTION = re.compile(
    rf"(?P<head>(?<![\w./-])--(?P<key>{_KEY})=)"
    r"(?P<value>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[^\s\"']+)"
)
_ERLANG = re.compile(rf"(?P<head>\{{\s*(?P<key>{_KEY})\s*,\s*)(?P<value>[^{{}}]*)")
_ELEMENT = re.compile(rf"(?P<head><(?P<key>{_KEY})>)(?P<value>[^<]*)")
_WORDS = re.compile(
    rf"(?P<head>{_WORD}(?P<key>[\w-]*(?:password|passwd))\s+)(?P<value>[^\s=:]\S*)", re.IGNORECASE
)
_PAIR = re.compile(
    rf"(?P<head>{_WORD}(?P<key>[\w-]*(?:password|passwd)):)(?P<value>[^\s,;:]+)", re.IGNORECASE
)
_BASIC = re.compile(r"(?P<head>\b(?P<key>auth)\s+[^\s:]+:)(?P<value>\S+)")
_SENT = re.compile(
    r"(?P<head>-check\s+send\S*\s+[\"']?AUTH(?:\\?\s)+)(?P<value>(?:[^\\]|\\[^rn])+)", re.IGNORECASE
)
_HEADER = re.compile(
    r"(?P<head>authorization\W+(?:basic|bearer|token)(?:\\?\s)+)(?P<value>(?:[^\s\\\"']|\\[^rn])+)",
    re.IGNORECASE,
)
_BINARY = re.compile(r"(?P<head>-check\s+send-binary(?:-lf)?\s+)(?P<value>\S+)", re.IGNORECASE)
"""What haproxy sends to ask whether a server lives, its blanks after backslashes or in quotes.

In hexadecimal digits a login cannot be told from a word of greeting.
"""
_ACCOUNT = re.compile(r"\w+(?::|\\ )(?P<password>\S+)")
"""A login in one value: its password is a secret without its name, too."""
_BEGIN, _END = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY"), re.compile(r"-----END ")
_COMMENT = re.compile(r"^\s*(?:#|;|//)")
_POLICY = re.compile(r"/policy(?:\.d/[^/]*|[^/]*\.(?:json|ya?ml))$")

_SHORTEST_KNOWN = 8
"""Shorter secrets are not looked for by value: ``nova`` as nova's password would empty every file."""


def is_secret_name(key: str) -> bool:
    """Whether a key of this name holds a secret: ``admin_password``, ``sslkey``; not ``password_regex``."""
    return bool(_NAME.search(key)) and not _HARMLESS.search(key) and not key.startswith("max_")


def physical_lines(text: str) -> list[str]:
    """Return a file's lines as Python reads them, each with its ending: other separators are in a line."""
    return list(io.StringIO(text, newline=""))


def left_out(text: str) -> str:
    """Return the numbers of the lines that ``Secrets.configuration`` leaves out, as ranges: ``1-4,17``."""
    numbers = {number: None for number, line in enumerate(physical_lines(text), 1) if _says_nothing(line)}
    starts = [number for number in numbers if number - 1 not in numbers]
    ends = [number for number in numbers if number + 1 not in numbers]
    return ",".join(
        f"{start}-{end}" if end > start else str(start) for start, end in zip(starts, ends, strict=True)
    )


def _says_nothing(line: str) -> bool:
    return not line.strip() or _COMMENT.match(line) is not None


class Secrets:
    """The secrets met so far, and texts without them."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def without_secrets(self, text: str) -> str:
        """Return a text with every secret that its place gives away masked, and remember them all."""
        lines = text.splitlines(keepends=True)
        return "".join(self._lines(lines))

    def configuration(self, path: str, text: str) -> str:
        """Return a configuration file without secrets, comments and empty lines.

        Comments go because they may quote old passwords, and because the samples of OpenStack are nearly
        nothing else. The names of policy rules (``change_password``) are no secrets.
        """
        kept = [line for line in physical_lines(text) if not _says_nothing(line)]
        if _POLICY.search(path):
            return self.policy("".join(kept))
        return "".join(self._lines(kept))

    def policy(self, text: str) -> str:
        """Return a policy file without the logins of the servers that it asks."""
        return "".join(self._url(line) for line in text.splitlines(keepends=True))

    def everywhere(self, text: str) -> str:
        """Return a text without any secret met so far, wherever it stands."""
        for secret in sorted(self._known, key=lambda known: (-len(known), known)):
            text = text.replace(secret, MASK)
        return text

    def _lines(self, lines: Iterable[str]) -> Iterable[str]:
        in_key = False
        hidden: int | None = None  # indentation of a masked key: deeper lines go on with its value
        for line in lines:
            indent = len(line) - len(line.lstrip())
            if in_key or _BEGIN.search(line):
                in_key = not _END.search(line)
                yield _end(MASK, line)
            elif hidden is not None and line.strip() and indent > hidden:
                self._learn(line)
                yield _end(line[:indent] + MASK, line)
            else:
                masked = self._line(line)
                whole = _LINE.match(line) or _BARE.match(line)
                hidden = indent if whole and is_secret_name(whole["key"]) else None
                yield masked

    def _line(self, line: str) -> str:
        body = line.rstrip("\r\n")
        for pattern in (_LINE, _BARE):
            found = pattern.match(body)
            if found and is_secret_name(found["key"]) and not _SWITCH.fullmatch(found["value"].strip()):
                self._learn(found["value"])
                return _end(found["head"] + MASK, line)
        body = self._url(body)
        for pattern in (_SENT, _BINARY, _HEADER, _OPTION, _INLINE, _ERLANG, _ELEMENT, _WORDS, _PAIR, _BASIC):
            body = self._replaced(pattern, body)
        return _end(body, line)

    def _replaced(self, pattern: re.Pattern[str], body: str) -> str:
        """Return a line with the values of secret keys masked, also in another's value: ``was: key=x``.

        What a pattern without a key finds is a secret by its place alone.
        """
        done, at = "", 0
        while found := pattern.search(body, at):
            named = "key" in pattern.groupindex and found["key"] != "auth"
            harmless = named and not is_secret_name(found["key"])
            if harmless or _SWITCH.fullmatch(found["value"].strip()):
                done, at = done + body[at : found.end("head")], found.end("head")
            else:
                self._learn(found["value"])
                done, at = done + body[at : found.start()] + found["head"] + MASK, found.end()
        return done + body[at:]

    def _url(self, line: str) -> str:
        """Mask from the first ``://`` to the last ``@``: a password may hold any character."""
        start, at = line.find("://") + len("://"), line.rfind("@")
        if start < len("://") or at < start:
            return line
        login = line[start:at]
        self._learn(login.partition(":")[2])
        for password in re.findall(r":([^:@/,]+)(?:@|$)", login):
            self._learn(password)
        return line[:start] + MASK + line[at:]

    def _learn(self, value: str) -> None:
        plain = value.strip().strip("\"'<>,")
        account = _ACCOUNT.fullmatch(plain)
        for form in (plain, unquote(plain), quote(plain, safe=""), account["password"] if account else ""):
            if len(form) >= _SHORTEST_KNOWN and not form.isalpha() and MASK not in form:
                self._known.add(form)


def _end(body: str, line: str) -> str:
    """Return a body with the line's own ending."""
    return body + line[len(line.rstrip("\r\n")) :]
