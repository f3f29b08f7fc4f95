"""The operators' commands, each in this process on a SQLite file of its own."""

import io
import json
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from huiyao import cli
from huiyao.service import installation
from huiyao.settings import Settings

LIBRARIES_OF_OTHER_COMMANDS = {
    "uvicorn",
    "uvloop",
    "asyncpg",
    "sqlalchemy",
    "alembic",
    "cryptography",
    "structlog",
}


class Done(msgspec.Struct):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Shell:
    """Runs `huiyao` as if it were typed in an empty folder."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: str, given: str = "") -> Done:
        self._monkeypatch.setattr(sys, "argv", ["huiyao", *arguments])
        self._monkeypatch.setattr(sys, "stdin", io.StringIO(given))
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = self._capsys.readouterr()
        code = ended.value.code
        return Done(code if isinstance(code, int) else 0, out, err)

    def app(self, *options: str) -> tuple[str, str]:
        """Organisations 1 and 2, and an app of the first; its id and secret."""
        self("org", "add", "1", "--name", "one")
        self("org", "add", "2", "--name", "two")
        made = self("app", "add", "--name", "hr", "--org", "1", "--json", *options).json
        return str(made["app_id"]), made["app_secret"]


@pytest.fixture
def huiyao(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "KEY", "LOG_LEVEL"):
        monkeypatch.delenv(f"HUIYAO_{name}", raising=False)
    return Shell(monkeypatch, capsys)


def only_app(huiyao: Shell) -> dict[str, Any]:
    (found,) = huiyao("app", "list", "--json").json
    assert isinstance(found, dict)
    return found


def test_help_loads_nothing_that_other_commands_need() -> None:
    program = "import sys; from huiyao import cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not LIBRARIES_OF_OTHER_COMMANDS & set(done.stdout.split())


def test_the_version_is_told(huiyao: Shell) -> None:
    assert re.fullmatch(r"huiyao \d+\.\d+\.\d+\n", huiyao("--version").out)


def test_wrong_usage_is_exit_code_2(huiyao: Shell) -> None:
    assert huiyao("app", "add").code == 2
    assert huiyao("app", "add", "--name", "hr", "--org", "one").code == 2


def test_an_app_is_added_with_a_secret_that_is_shown_once(huiyao: Shell) -> None:
    app_id, secret = huiyao.app()
    assert len(secret) >= 32
    listed = huiyao("app", "list")
    assert app_id in listed.out
    assert secret not in listed.out + huiyao("app", "list", "--json").out


@pytest.mark.parametrize("file", ["-", "secret.txt"])
def test_a_secret_is_taken_from_a_file_or_standard_input(huiyao: Shell, tmp_path: Path, file: str) -> None:
    (tmp_path / "secret.txt").write_text("a-secret-of-my-own\n")
    huiyao("org", "add", "1", "--name", "one")
    done = huiyao(
        *("app", "add", "--name", "hr", "--org", "1", "--app-id", "42", "--secret-file", file, "--json"),
        given="a-secret-of-my-own\n",
    )
    assert done.json == {"app_id": 42, "app_secret": "a-secret-of-my-own"}


def test_a_short_secret_is_refused(huiyao: Shell) -> None:
    huiyao("org", "add", "1", "--name", "one")
    done = huiyao("app", "add", "--name", "hr", "--org", "1", "--secret-file", "-", given="short\n")
    assert (done.code, done.err) == (1, "huiyao: An app secret has 16 or more visible ASCII characters.\n")


def test_ids_are_never_taken_twice(huiyao: Shell) -> None:
    app_id, _ = huiyao.app()
    assert "exists already" in huiyao("org", "add", "1", "--name", "again").err
    assert "exists already" in huiyao("app", "add", "--name", "x", "--org", "1", "--app-id", app_id).err
    other = huiyao("app", "add", "--name", "x", "--org", "1", "--json").json
    assert str(other["app_id"]) != app_id


def test_what_does_not_exist_is_one_line_and_exit_code_1(huiyao: Shell) -> None:
    huiyao.app()
    for arguments in (
        ("org", "set", "9", "--name", "x"),
        ("app", "add", "--name", "x", "--org", "9"),
        ("app", "set", "9", "--name", "x"),
        ("app", "disable", "9"),
        ("app", "rotate", "9"),
        ("person", "erase", "u1", "--org", "1"),
        ("person", "erase", "u1", "--org", "9"),
        ("org", "set", "99999999999999999999", "--name", "x"),
    ):
        done = huiyao(*arguments)
        assert (done.code, done.out, done.err.count("\n")) == (1, "", 1), arguments


def test_an_app_is_changed_where_it_is_told_to_be(huiyao: Shell) -> None:
    app_id, _ = huiyao.app()
    assert only_app(huiyao)["default_org"] == 1
    assert huiyao("app", "set", app_id, "--org", "1,2", "--default-org", "2").code == 0
    assert huiyao("app", "set", app_id, "--name", "HR", "--callback", "https://example.com/hook").code == 0
    assert only_app(huiyao) == {
        "app_id": int(app_id),
        "name": "HR",
        "orgs": [1, 2],
        "default_org": 2,
        "disabled": False,
        "callback_url": "https://example.com/hook",
        "callback_style": "platform",
        "callback_gone_at": None,
        "grants": [],
        "ip_list": [],
        "api_list": [],
        "rate": 0,
        "quota": 0,
    }
    assert huiyao("app", "set", app_id, "--org", "1").code == 0
    assert only_app(huiyao)["default_org"] == 1
    assert "not granted" in huiyao("app", "set", app_id, "--default-org", "2").err
    assert "callback URL" in huiyao("app", "set", app_id, "--callback", "example.com").err


def test_an_app_is_given_limits_and_loses_them(huiyao: Shell) -> None:
    app_id, _ = huiyao.app()

    def change(*options: str) -> list[Any]:
        assert huiyao("app", "set", app_id, *options).code == 0
        return [only_app(huiyao)[name] for name in ("ip_list", "api_list", "rate", "quota")]

    networks = ["203.0.113.0/24", "192.0.2.7/32", "2001:db8::/32", "198.51.100.0/24"]
    assert change(
        *("--ip", "203.0.113.9/24,192.0.2.7", "--ip", "2001:DB8::/32", "--ip", "::ffff:198.51.100.0/120"),
        *(
            "--ip",
            "203.0.113.0/24",
            "--api",
            "detail",
            "--api",
            "create",
            "--rate",
            "50",
            "--quota",
            "100000",
        ),
    ) == [networks, ["create", "detail"], 50, 100_000]
    assert change("--name", "HR") == [networks, ["create", "detail"], 50, 100_000]
    shown = huiyao("app", "list").out  # a narrow screen breaks the column
    assert all(one in shown for one in ("4 IP,2", "API,50/s,100000/day")), shown
    assert change("--no-ip", "--no-api", "--rate", "0", "--quota", "0") == [[], [], 0, 0]


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (("--ip", "localhost"), 1, "'localhost' is no IP address or network"),
        (("--ip", "203.0.113.0/33"), 1, "is no IP address or network"),
        (("--ip", ""), 1, "'' is no IP address or network"),
        (("--api", "ticket"), 1, "'ticket' is no call that every app may make; there are cancel, create,"),
        (("--rate", "-1"), 1, "A rate is a number from 0 to 1000000, not -1."),
        (("--quota", "9999999999999"), 1, "A daily quota is a number from 0 to"),
        (("--rate", "many"), 2, "Error"),
        (("--ip", "192.0.2.7", "--no-ip"), 2, "exclude each other"),
        (("--api", "create", "--no-api"), 2, "exclude each other"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(
    huiyao: Shell, options: tuple[str, ...], code: int, sentence: str
) -> None:
    app_id, _ = huiyao.app()
    before = only_app(huiyao)
    refused = huiyao("app", "set", app_id, "--name", "other", *options)
    assert (refused.code, refused.out) == (code, "")
    assert sentence in refused.err.replace("\n", " ")
    assert only_app(huiyao) == before


def test_an_app_is_given_api_permissions_and_loses_them(huiyao: Shell) -> None:
    app_id, _ = huiyao.app()
    assert huiyao("app", "set", app_id, "--grant", "ticket", "--grant", "freebusy").code == 0
    assert huiyao("app", "set", app_id, "--name", "HR").code == 0
    assert only_app(huiyao)["grants"] == ["freebusy", "ticket"]
    assert "freebusy,ticket" in huiyao("app", "list").out
    assert huiyao("app", "set", app_id, "--grant", "changes", "--ungrant", "ticket").code == 0
    assert only_app(huiyao)["grants"] == ["changes", "freebusy"]
    for option in ("--grant", "--ungrant"):
        refused = huiyao("app", "set", app_id, option, "tickets")
        assert (refused.code, refused.err.count("\n")) == (1, 1)
        assert "'tickets' is no API permission; there are changes, freebusy, ticket." in refused.err
    assert huiyao("app", "set", app_id, "--grant", "ticket", "--ungrant", "ticket").code == 1
    assert only_app(huiyao)["grants"] == ["changes", "freebusy"]


def test_an_app_is_disabled_and_enabled_again(huiyao: Shell) -> None:
    app_id, _ = huiyao.app()
    huiyao("app", "disable", app_id)
    assert only_app(huiyao)["disabled"] is True
    huiyao("app", "disable", app_id, "--undo")
    assert only_app(huiyao)["disabled"] is False


def test_rotating_gives_another_secret(huiyao: Shell) -> None:
    app_id, secret = huiyao.app()
    fresh = huiyao("app", "rotate", app_id, "--revoke", "--json").json
    assert fresh["app_id"] == int(app_id)
    assert fresh["app_secret"] != secret


def test_an_unknown_time_zone_is_refused(huiyao: Shell) -> None:
    assert "tz database" in huiyao("org", "add", "1", "--name", "one", "--timezone", "Beijing").err
    assert huiyao("org", "add", "1", "--name", "one", "--timezone", "Europe/Berlin", "--closed").code == 0
    assert huiyao("org", "set", "1", "--open").code == 0


def test_nothing_is_imported_while_a_row_is_bad_unless_told(huiyao: Shell, tmp_path: Path) -> None:
    huiyao.app()
    (tmp_path / "people.csv").write_text(
        "\ufeffuid,name,mobile\nu1,王芳,\nu2,,13912345678\n", encoding="utf-8"
    )
    done = huiyao("person", "import", "people.csv", "--org", "1")
    assert (done.code, done.out) == (1, "0 people imported, 1 rows are bad.\n")
    assert done.err == "people.csv:3: name must have 1 to 128 printable characters\n"
    assert huiyao("person", "erase", "u1", "--org", "1").code == 1
    done = huiyao("person", "import", "people.csv", "--org", "1", "--skip-bad", "--json")
    assert done.json["imported"] == 1
    assert [one["line"] for one in done.json["bad"]] == [3]
    assert huiyao("person", "erase", "u1", "--org", "1").code == 0


def test_a_file_in_another_encoding_is_refused(huiyao: Shell, tmp_path: Path) -> None:
    huiyao.app()
    (tmp_path / "people.csv").write_bytes("uid,name\nu1,王芳\n".encode("gb18030"))
    done = huiyao("person", "import", "people.csv", "--org", "1")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "UTF-8" in done.err


def test_the_schema_is_checked_and_brought_up(huiyao: Shell) -> None:
    assert huiyao("db", "check").code == 1
    assert huiyao("db", "migrate").code == 0
    assert huiyao("db", "migrate").code == 0
    assert huiyao("db", "check").code == 0
    found = huiyao("db", "check", "--json").json
    assert found["current"] is True


def test_a_backup_holds_everything_and_never_replaces_a_file(huiyao: Shell) -> None:
    app_id, _ = huiyao.app()
    assert huiyao("db", "backup", "copy.db").code == 0
    assert huiyao("db", "backup", "copy.db").code == 1
    (copied,) = huiyao("app", "list", "--json", "--database", "sqlite:///copy.db").json
    assert str(copied["app_id"]) == app_id


def test_after_a_restore_ids_go_on_unless_the_file_is_served(huiyao: Shell, tmp_path: Path) -> None:
    assert huiyao("db", "restored").code == 1
    huiyao.app()
    assert huiyao("db", "restored").code == 0
    found = Settings(database_url=f"sqlite:///{tmp_path}/huiyao.db")
    with installation.Lock(found):
        done = huiyao("db", "restored")
    assert (done.code, done.err.count("\n")) == (1, 1)


def test_the_doctor_names_what_is_wrong(huiyao: Shell) -> None:
    assert "no database file" in huiyao("doctor").out
    huiyao.app()
    done = huiyao("doctor", "--json")
    assert done.code == 1
    wrong = {one["subject"]: one["finding"] for one in done.json if not one["ok"]}
    assert list(wrong) == ["dispatcher"]
    assert "huiyao serve" in wrong["dispatcher"]


def test_the_doctor_minds_a_key_that_others_can_read(huiyao: Shell, tmp_path: Path) -> None:
    huiyao.app()
    assert "BAD  server key" not in huiyao("doctor").out
    (tmp_path / "huiyao.db.key").chmod(0o644)
    assert "BAD  server key: others on this machine can read huiyao.db.key" in huiyao("doctor").out


def test_the_doctor_looks_whether_the_sms_gateway_is_there(
    huiyao: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    huiyao.app()
    assert "ok   SMS gateway: log: texts are recorded and sent nowhere" in huiyao("doctor").out
    with socket.create_server(("127.0.0.1", 0)) as gateway:
        port = gateway.getsockname()[1]
        monkeypatch.setenv("HUIYAO_SMS_URL", f"kannel://user:hunter2@127.0.0.1:{port}?from=1069")
        assert "BAD  SMS gateway: HUIYAO_PUBLIC_URL is not set" in huiyao("doctor").out
        monkeypatch.setenv("HUIYAO_PUBLIC_URL", "https://huiyao.example")
        assert f"ok   SMS gateway: kannel at 127.0.0.1 port {port} can be reached" in huiyao("doctor").out
    done = huiyao("doctor")
    assert f"BAD  SMS gateway: nothing answers at 127.0.0.1 port {port}" in done.out
    monkeypatch.setenv("HUIYAO_SMS_URL", "kannel://user:hunter2@127.0.0.1?form=1069")
    wrong = huiyao("doctor")
    assert "BAD  SMS gateway: HUIYAO_SMS_URL has an option 'form'" in wrong.out
    assert "hunter2" not in done.out + wrong.out


def test_the_address_for_answers_needs_to_be_known_and_holds_a_key(
    huiyao: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    huiyao.app()
    refused = huiyao("sms", "inbound-url")
    assert (refused.code, refused.err.count("\n")) == (1, 1)
    assert "HUIYAO_PUBLIC_URL is not set" in refused.err
    monkeypatch.setenv("HUIYAO_PUBLIC_URL", "https://huiyao.example/base/")
    address = huiyao("sms", "inbound-url").out
    assert re.fullmatch(
        r"https://huiyao\.example/base/sms/kannel/inbound\?key=[\w-]{22}&from=%p&text=%b&charset=%C\n",
        address,
    )


def test_the_operators_link_leads_to_where_the_server_is_found(
    huiyao: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    huiyao.app()
    shown = huiyao("admin", "link")
    ticket = r"0-[A-Za-z0-9_-]{43}"
    assert re.fullmatch(
        rf"http://127\.0\.0\.1:8080/admin/enter\?ticket={ticket}\nGood once, within 10 minutes\.\n", shown.out
    )
    elsewhere = huiyao("admin", "link", "--host", "0.0.0.0", "--port", "9090", "--json").json
    assert elsewhere["url"].startswith("http://127.0.0.1:9090/admin/enter?ticket=0-")
    monkeypatch.setenv("HUIYAO_PUBLIC_URL", "https://huiyao.example/base/")
    public = huiyao("admin", "link", "--json").json
    assert public["expires_in"] == 600
    assert re.fullmatch(rf"https://huiyao\.example/base/admin/enter\?ticket={ticket}", public["url"])
    assert public["url"][-43:] != elsewhere["url"][-43:]


def test_a_wrong_setting_is_one_line(huiyao: Shell, tmp_path: Path) -> None:
    (tmp_path / "huiyao.toml").write_text("port = 'x'\n")
    done = huiyao("app", "list")
    assert (done.code, done.err) == (
        1,
        "huiyao: port must be a number from 1 to 65535, not 'x'; it comes from huiyao.toml.\n",
    )


def test_a_database_in_a_folder_that_is_not_there_is_one_line(huiyao: Shell) -> None:
    for command in (("db", "migrate"), ("app", "list"), ("serve",), ("db", "check")):
        done = huiyao(*command, "--database", "sqlite:///nowhere/x.db")
        assert (done.code, done.err.count("\n")) == (1, 1), done.err


def test_a_file_that_is_no_database_is_one_line(huiyao: Shell, tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("this is no database at all, though it is long enough to be one")
    for command in (("db", "migrate"), ("app", "list"), ("db", "check"), ("doctor",)):
        done = huiyao(*command, "--database", "sqlite:///x.db")
        assert done.code == 1
        assert "is not a database" in done.out + done.err
        assert "Traceback" not in done.err
