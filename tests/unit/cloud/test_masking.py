"""No known secret survives masking, and what is no secret does."""

import json
import string
from collections.abc import Callable
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skipstone.cloud.masking import MASK, Secrets, is_secret_name

SECRET_KEYS = (
    "password",
    "admin_password",
    "adminPass",
    "metadata_proxy_shared_secret",
    "memcache_secret_key",
    "auth_encryption_key",
    "api_key",
    "admin_token",
    "stack_domain_admin_password",
    "ssl_key_password",
    "swift_hash_path_suffix",
    "dbpass",
)

Form = Callable[[str, str], str]

# how a secret stands in a file, and the characters that would end it there
FORMS: dict[str, tuple[Form, str]] = {
    "ini": (lambda key, secret: f"[a]\nuser = nova\n{key} = {secret}\nport = 5\n", ""),
    "ini, no spaces": (lambda key, secret: f"{key}={secret}\n", ""),
    "ini, continued": (lambda key, secret: f"{key} =\n  {secret}\nport = 5\n", ""),
    "yaml": (lambda key, secret: f"a:\n  {key}: {json.dumps(secret)}\n  b: 1\n", ""),
    "yaml block": (lambda key, secret: f"{key}: |\n  {secret}\nb: 1\n", ""),
    "yaml flow": (lambda key, secret: f"a: {{user: x, {key}: {json.dumps(secret)}, b: 1}}\n", ""),
    "json": (lambda key, secret: json.dumps({"a": 1, key: secret, "b": 2}), ""),
    "json, indented": (lambda key, secret: json.dumps({"a": 1, key: secret, "b": 2}, indent=2), ""),
    "xml": (lambda key, secret: f"<graphics type='vnc' {key}={quoteattr(secret)} port='1'/>\n", "&<>\"'"),
    "shell": (lambda key, secret: f"export {key}='{secret}'\n", "'"),
    "an option of a program": (lambda key, secret: f'ARGS="--user=x --{key}={secret}"\n', " \"'"),
    "erlang": (lambda key, secret: f'[{{rabbit, [{{{key}, <<"{secret}">>}}]}}].\n', '{}"'),
    "connection": (
        lambda key, secret: f"connection = mysql+pymysql://{key}:{secret}@db/nova?charset=utf8\n",
        "",
    ),
    "brokers": (lambda _, secret: f"transport_url = rabbit://u:{secret}@h1:5672,u:{secret}@h2:5672/\n", ""),
    "apt": (lambda _, secret: f"deb https://me:{secret}@repo.example/debian bookworm main\n", ""),
    "galera": (lambda _, secret: f"wsrep_sst_auth = sst:{secret}\n", ""),
    "galera, quoted": (lambda _, secret: f"loose-wsrep-sst-auth='sst:{secret}'\n", "'"),
    "haproxy": (lambda _, secret: f"  tcp-check send AUTH\\ {secret}\\r\\n\n", "\\"),
    "haproxy, quoted": (lambda _, secret: f'  tcp-check send "AUTH u {secret}\\r\\n"\n', "\\"),
    "haproxy, binary": (lambda _, secret: f"  tcp-check send-binary {secret.encode().hex()} # x\n", ""),
    "header": (
        lambda _, secret: f"  http-check send meth GET hdr Authorization Basic\\ {secret} hdr Host x\n",
        "\\\"'",
    ),
    "header, quoted": (lambda _, secret: f'RequestHeader set Authorization "Basic {secret}"\n', "\\\"'"),
    "url in text": (lambda _, secret: f"cannot reach http://me:{secret}@proxy:3128/ today\n", ""),
}

printable = string.ascii_letters + string.digits + "!#$%^&*()-_+=[]{}|:;,.?/~`@<>\"'\\"
secrets = st.text(printable, min_size=8, max_size=40).filter(
    lambda text: sum(c.isalnum() for c in text) >= 6 and not text.isalpha()
)


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=60)
@given(key=st.sampled_from(SECRET_KEYS), secret=secrets)
def test_no_secret_survives_where_its_place_gives_it_away(form: str, key: str, secret: str) -> None:
    render, forbidden = FORMS[form]
    secret = "".join(c for c in secret if c not in forbidden) + "x7"
    masked = Secrets().without_secrets(render(key, secret))
    for shape in (secret, json.dumps(secret)[1:-1], secret.encode().hex()):
        assert shape not in masked
    assert MASK in masked


@given(secret=secrets, before=st.text(printable + " "), after=st.text(printable + " "))
def test_a_known_secret_is_masked_wherever_it_stands(secret: str, before: str, after: str) -> None:
    known = Secrets()
    known.without_secrets(f"password = {secret}\n")
    learnt = secret.strip("\"'<>,")
    if len(learnt) >= 8 and not learnt.isalpha():
        assert learnt not in known.everywhere(f"{before} {learnt} {after}")


def test_a_percent_encoded_password_is_known_in_both_forms() -> None:
    known = Secrets()
    known.without_secrets("connection = mysql://nova:p%40ss%2Fword9@db/nova\n")
    assert known.everywhere("login with p@ss/word9 or p%40ss%2Fword9") == f"login with {MASK} or {MASK}"


@pytest.mark.parametrize(
    "line", ["wsrep_sst_auth = sst:S3cretPass99\n", "  tcp-check send AUTH\\ sst\\ S3cretPass99\\r\\n\n"]
)
def test_a_password_beside_its_account_is_known_alone(line: str) -> None:
    known = Secrets()
    known.without_secrets(line)
    assert known.everywhere("login of sst with S3cretPass99") == f"login of sst with {MASK}"


def test_what_haproxy_sends_else_is_kept() -> None:
    text = "  tcp-check send PING\\r\\n\n  http-check send meth GET uri /x hdr Host db.example\n"
    assert Secrets().without_secrets(text) == text


def test_a_private_key_is_masked_line_by_line() -> None:
    text = "a\n-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\nBBBB\n-----END OPENSSH PRIVATE KEY-----\nb\n"
    assert Secrets().without_secrets(text) == f"a\n{MASK}\n{MASK}\n{MASK}\n{MASK}\nb\n"


def test_what_is_no_secret_is_kept() -> None:
    text = (
        "[service_user]\nsend_service_user_token = true\nauth_type = password\n"
        "[token]\nprovider = fernet\n[security_compliance]\npassword_regex = ^.{8,}$\nmax_active_keys = 3\n"
        "[fernet_tokens]\nkey_repository = /etc/keystone/fernet-keys/\n[workarounds]\n"
        "disable_compute_service_check_for_ffu = true\n"
    )
    assert Secrets().without_secrets(text) == text


def test_a_url_keeps_scheme_host_and_database() -> None:
    line = "connection = mysql+pymysql://nova:12345678a@db.example:3306/nova_api?charset=utf8\n"
    assert Secrets().without_secrets(line) == (
        f"connection = mysql+pymysql://{MASK}@db.example:3306/nova_api?charset=utf8\n"
    )


def test_comments_and_empty_lines_of_configuration_go() -> None:
    text = "# old password: hunter22\n\n[DEFAULT]\n; x\ndebug = true\n"
    assert Secrets().configuration("/etc/nova/nova.conf", text) == "[DEFAULT]\ndebug = true\n"


def test_names_of_policy_rules_are_kept() -> None:
    text = '"identity:change_password": "rule:admin"\n"identity:check_token": "rule:service"\n'
    assert Secrets().configuration("/etc/keystone/policy.yaml", text) == text
    assert Secrets().configuration("/etc/keystone/policy.d/00.json", text) == text


@pytest.mark.parametrize("key", SECRET_KEYS)
def test_names_of_secrets(key: str) -> None:
    assert is_secret_name(key)


@pytest.mark.parametrize(
    "key", ["password_regex", "key_file", "token_ttl", "auth_type", "secret_path", "keyring", "monkey_patch"]
)
def test_names_that_only_look_like_secrets(key: str) -> None:
    assert not is_secret_name(key)


def test_paths_in_messages_are_kept() -> None:
    text = "cannot connect to http://10.0.0.1/v3/auth/tokens: HTTPConnection(host='10.0.0.1')"
    assert Secrets().without_secrets(text) == text
