"""Where a setting comes from, which one wins, and what is said of a wrong one."""

from pathlib import Path
from typing import Any

import pytest

from huiyao.errors import OperatorError
from huiyao.settings import Settings, load

NOWHERE = Path("/nonexistent/huiyao.toml")


def settings(
    toml: str = "", *, folder: Path, environ: dict[str, str] | None = None, **line: object
) -> Settings:
    path = folder / "huiyao.toml"
    path.write_text(toml, encoding="utf-8")
    return load(line, environ or {}, path)


def fault(*, environ: dict[str, str] | None = None, **line: object) -> str:
    with pytest.raises(OperatorError) as caught:
        load(line, environ or {}, NOWHERE)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_without_anything_the_defaults_hold() -> None:
    assert load({}, {}, NOWHERE) == Settings()


def test_the_command_line_wins_over_the_environment_over_the_file(tmp_path: Path) -> None:
    toml = "port = 1\nworkers = 2\nmax_members = 3\n"
    environ = {"HUIYAO_PORT": "4", "HUIYAO_WORKERS": "5"}
    found = settings(toml, folder=tmp_path, environ=environ, port=6, host=None)
    assert (found.port, found.workers, found.max_members, found.host) == (6, 5, 3, "127.0.0.1")


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        ("HUIYAO_REQUIRE_HTTPS", "true", "require_https", True),
        ("HUIYAO_REQUIRE_HTTPS", "false", "require_https", False),
        ("HUIYAO_TRUSTED_PROXIES", "10.0.0.0/8, ::1,", "trusted_proxies", ("10.0.0.0/8", "::1")),
        ("HUIYAO_TRUSTED_PROXIES", "", "trusted_proxies", ()),
        ("HUIYAO_PUBLIC_URL", "https://api.example.com/x", "public_url", "https://api.example.com/x"),
        ("HUIYAO_DATABASE_URL", "postgresql://a:b@h/d", "database_url", "postgresql://a:b@h/d"),
        ("HUIYAO_DATABASE_URL", "sqlite:////var/x.db", "database_url", "sqlite:////var/x.db"),
        ("HUIYAO_SMS_URL", "log:", "sms_url", "log:"),
        ("HUIYAO_SMS_URL", "kannel://a:b@h", "sms_url", "kannel://a:b@h"),
        ("HUIYAO_SMS_DAILY_LIMIT", "1", "sms_daily_limit", 1),
    ],
)
def test_the_environment_holds_text_of_every_type(variable: str, text: str, name: str, value: Any) -> None:
    assert getattr(load({}, {variable: text}, NOWHERE), name) == value


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("HUIYAO_PORT", "0"),
        ("HUIYAO_PORT", "65536"),
        ("HUIYAO_PORT", "eighty"),
        ("HUIYAO_PORT", ""),
        ("HUIYAO_WORKERS", "0"),
        ("HUIYAO_REQUIRE_HTTPS", "yes"),
        ("HUIYAO_TRUSTED_PROXIES", "10.0.0.0/8,example.com"),
        ("HUIYAO_PUBLIC_URL", "api.example.com"),
        ("HUIYAO_PUBLIC_URL", "https://"),
        ("HUIYAO_HOST", ""),
        ("HUIYAO_LOG_LEVEL", "loud"),
        ("HUIYAO_SMS_DAILY_LIMIT", "0"),
        ("HUIYAO_SMS_DAILY_LIMIT", "10001"),
        ("HUIYAO_SMS_WAIT_SECONDS", "0"),
        ("HUIYAO_SMS_WAIT_SECONDS", "3601"),
        ("HUIYAO_SESSION_HOURS", "0"),
        ("HUIYAO_SESSION_HOURS", "721"),
        ("HUIYAO_DELIVERY_DAYS", "0"),
        ("HUIYAO_DELIVERY_DAYS", "3651"),
    ],
)
def test_a_wrong_value_is_named_with_its_source(variable: str, text: str) -> None:
    said = fault(environ={variable: text})
    assert said.startswith(f"{variable.removeprefix('HUIYAO_').lower()} must be ")
    assert said.endswith(f"it comes from the environment ({variable}).")


@pytest.mark.parametrize(
    ("public_url", "host", "address"),
    [
        ("https://huiyao.example/base/", "10.0.0.1", "https://huiyao.example/base"),
        ("", "10.0.0.1", "http://10.0.0.1:8080"),
        ("", "0.0.0.0", "http://127.0.0.1:8080"),
        ("", "::", "http://[::1]:8080"),
        ("", "fe80::1", "http://[fe80::1]:8080"),
    ],
)
def test_people_find_the_server_at_the_public_address_else_where_it_listens(
    public_url: str, host: str, address: str
) -> None:
    assert Settings(public_url=public_url, host=host).address == address


def test_an_unknown_setting_is_named_with_its_source(tmp_path: Path) -> None:
    assert fault(environ={"HUIYAO_PROT": "1"}) == (
        "There is no setting 'prot', but the environment (HUIYAO_PROT) sets it."
    )
    with pytest.raises(OperatorError, match=r"no setting 'prot', but .*huiyao\.toml sets it"):
        settings("prot = 1", folder=tmp_path)


def test_a_file_is_strict_about_types_and_named(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"port must be a number .*huiyao\.toml"):
        settings("port = '80'", folder=tmp_path)
    with pytest.raises(OperatorError, match=r"huiyao\.toml cannot be read"):
        settings("port = ", folder=tmp_path)


@pytest.mark.parametrize(
    "url",
    [
        "mysql://h/d",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "postgresql://h",
        "postgresql://secret:secret@[h/d",
    ],
)
def test_a_database_of_no_known_kind_is_refused_without_showing_the_url(url: str) -> None:
    said = fault(environ={"HUIYAO_DATABASE_URL": url})
    assert said.startswith("database_url must be sqlite:///FILE or postgresql://")
    assert "secret" not in said


@pytest.mark.parametrize(
    "url", ["postgresql://u:secret@h/d", "postgresql://h/d?password=secret", "postgresql://u:@h/d"]
)
def test_a_password_on_the_command_line_is_refused_and_not_shown(url: str) -> None:
    said = fault(database_url=url)
    assert "process list" in said
    assert "secret" not in said


@pytest.mark.parametrize("url", ["", "log", "secret", "smpp://u:secret@h", "http://u:secret@h/?log:"])
def test_a_gateway_of_no_known_kind_is_refused_without_showing_the_address(url: str) -> None:
    assert fault(environ={"HUIYAO_SMS_URL": url}) == (
        "sms_url must be an address that begins with log:, kannel://, aliyun:// or tencent://;"
        " it comes from the environment (HUIYAO_SMS_URL)."
    )


def test_a_short_key_is_refused_and_not_shown() -> None:
    said = fault(environ={"HUIYAO_KEY": "too short a key"})
    assert said == "key must be 32 characters or more; it comes from the environment (HUIYAO_KEY)."


def test_secrets_do_not_show_when_settings_are_printed() -> None:
    made = Settings(
        key="k" * 32, database_url="postgresql://u:secret@h/d", sms_url="kannel://u:secret@h", port=81
    )
    shown = repr(made)
    assert "kkkk" not in shown
    assert "secret" not in shown
    assert "port=81" in shown


def test_the_test_suites_own_variables_are_no_settings() -> None:
    assert load({}, {"HUIYAO_TEST_POSTGRES_URL": "postgresql://h/d"}, NOWHERE) == Settings()
