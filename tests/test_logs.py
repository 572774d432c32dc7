"""Log lines: one for each event, in the right files, without secrets, whoever writes at the same time."""

import json
import logging
import re
import select
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from loguru import logger

from src import logs

LINE = re.compile(
    r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00 (INFO|WARNING|ERROR) +(api|worker)\[\d+\] \S.*$"
)

ONE_PROCESS = """
import sys
from pathlib import Path
from pathlib import Path
from loguru import logger
from src import logs
folder, number, lines = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
logs.set_up_logs(folder, "api" if number % 2 else "worker", terminal=False, max_bytes=700_000, keep=7)
for line in range(lines):
    logger.bind(writer=number).info("event {} {}", line, "é" * (line % 60))
logs.close_logs()
assert logs.lost_lines() == 0
"""


@pytest.fixture(autouse=True)
def quiet_afterwards():
    root, level = list(logging.root.handlers), logging.root.level
    yield
    logs.close_logs()
    logs._hidden_values.clear()
    logging.captureWarnings(capture=False)
    logging.root.handlers[:] = root
    logging.root.setLevel(level)
    logger.configure(extra={}, patcher=lambda _: None)


def lines_of(path):
    return path.read_text(encoding="utf-8").splitlines()


@pytest.mark.timeout(300)
def test_four_processes_write_the_same_rotating_files_and_no_line_is_lost_or_torn(tmp_path):
    folder, each = tmp_path / "logs", 5_000
    command = [sys.executable, "-c", ONE_PROCESS, str(folder)]
    running = [subprocess.Popen([*command, str(number), str(each)], cwd=logs_root()) for number in range(4)]
    assert [process.wait(timeout=280) for process in running] == [0, 0, 0, 0]

    written = [line for path in sorted(folder.glob("app.log*")) for line in lines_of(path)]
    assert len(list(folder.glob("app.log*"))) > 3, "nothing was rotated"
    assert all(LINE.match(line) for line in written)
    seen = {
        (int(m[2]), int(m[1]))
        for m in (re.search(r"event (\d+) é* \| writer=(\d)$", line) for line in written)
        if m
    }
    assert len(written) == 4 * each
    assert seen == {(number, line) for number in range(4) for line in range(each)}
    api = [line for path in folder.glob("api.log*") for line in lines_of(path)]
    assert len(api) == 2 * each


def logs_root():
    return Path(logs.__file__).resolve().parent.parent


def test_each_line_goes_to_the_file_of_its_part_and_all_to_one(tmp_path):
    logs.set_up_logs(tmp_path / "logs", "both", terminal=False)
    logger.info("from a worker")
    logger.bind(part="api", job_id="j-1").warning("from the API")
    texts = {name: lines_of(tmp_path / "logs" / f"{name}.log") for name in ("app", "api", "worker")}
    assert [len(texts[name]) for name in ("app", "api", "worker")] == [2, 1, 1]
    assert texts["api"][0].endswith("from the API | job_id=j-1")
    assert re.search(r" WARNING api\[\d+\] ", texts["api"][0])
    assert re.search(r" INFO    worker\[\d+\] from a worker$", texts["worker"][0])


def test_folder_and_files_are_for_their_owner_only(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir(mode=0o755)
    logs.set_up_logs(folder, "both", terminal=False)
    logger.info("x")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir() if path.suffix == ".log"} == {
        0o600
    }


def test_a_guests_text_is_never_a_format_and_never_makes_a_second_line(tmp_path):
    logs.set_up_logs(tmp_path, "worker", terminal=False)
    logger.bind(odd="a\nb").info("{}", "{0} {name} %s\nfake line\x1b[31m \ud800")
    (line,) = lines_of(tmp_path / "app.log")
    assert r"{0} {name} %s\nfake line\x1b[31m \ud800 | odd=a\nb" in line


def test_an_exception_is_one_line_with_its_place_and_without_values(tmp_path):
    logs.set_up_logs(tmp_path, "worker", terminal=False)
    canary = "canary-4711"
    logs.hide([canary])
    try:
        try:
            logs.safe_error(int(canary))  # type: ignore[arg-type]
        except ValueError as error:
            raise RuntimeError(f"typed {canary}\nsecond line with typed text") from error
    except RuntimeError:
        logger.exception("it failed")
    (line,) = lines_of(tmp_path / "app.log")
    assert "it failed | RuntimeError: typed [hidden] because of ValueError: " in line
    assert canary not in line
    assert "second line" not in line


def test_lines_of_libraries_come_in_from_warning_on(tmp_path):
    logs.set_up_logs(tmp_path, "api", terminal=False)
    logging.getLogger("httpx").info("GET http://ai/?token=abc")
    logging.getLogger("uvicorn.error").warning("odd thing %s", "token=abc.def")
    logging.getLogger("uvicorn.access").warning("GET /?token=abc")
    (line,) = lines_of(tmp_path / "app.log")
    assert "uvicorn.error: odd thing token=[hidden]" in line


@pytest.mark.parametrize("gone", ["folder", "app.log", ".__app.lock"])
def test_what_is_deleted_of_the_logs_while_running_is_made_anew_for_the_next_line(tmp_path, gone):
    folder = tmp_path / "deep" / "logs"
    logs.set_up_logs(folder, "both", terminal=False)
    before = logs.lost_lines()
    for number in range(3):
        logger.info("line {}", number)
        logger.bind(part="api").info("call {}", number)
        if gone == "folder":
            shutil.rmtree(folder.parent)
        else:
            (folder / gone).unlink()
    logger.info("the last line")
    logger.bind(part="api").info("the last call")
    assert [line.rpartition("] ")[2] for line in lines_of(folder / "app.log")][-2:] == [
        "the last line",
        "the last call",
    ]
    assert lines_of(folder / "api.log")[-1].endswith("the last call")
    assert lines_of(folder / "worker.log")[-1].endswith("the last line")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "app.log").stat().st_mode) == 0o600
    assert logs.lost_lines() == before
    assert logs.files_not_written() == []


ONE_PROCESS_IN_TWO_PARTS = """
import sys
from pathlib import Path
from loguru import logger
from src import logs
folder, number, lines = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
logs.set_up_logs(folder, "worker", terminal=False, max_bytes=40_000, keep=99)
print("up", flush=True)
for line in range(lines):
    logger.bind(writer=number).info("before {}", line)
print("ready", flush=True)
sys.stdin.readline()
lost = logs.lost_lines()  # a line that was being written into what was being deleted may be gone
for line in range(lines):
    logger.bind(writer=number).info("after {}", line)
logs.close_logs()
assert logs.lost_lines() == lost
"""


def test_processes_whose_folder_is_deleted_again_and_again_share_the_new_one_without_losing_a_line(tmp_path):
    folder, each = tmp_path / "logs", 200
    running = [
        subprocess.Popen(
            [sys.executable, "-c", ONE_PROCESS_IN_TWO_PARTS, str(folder), str(number), str(each)],
            cwd=logs_root(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    readable = {process.stdout for process in running if process.stdout is not None}
    assert [stream.readline() for stream in readable] == ["up\n"] * 3
    while readable:  # deleted under their hands, until the slowest has written its first part
        shutil.rmtree(folder, ignore_errors=True)
        for stream in select.select(list(readable), [], [], 0.01)[0]:
            assert stream.readline() == "ready\n"
            readable.discard(stream)
    shutil.rmtree(folder, ignore_errors=True)
    for process in running:
        process.communicate("go\n", timeout=60)
    assert [process.returncode for process in running] == [0, 0, 0]

    written = [line for path in folder.glob("app.log*") for line in lines_of(path)]
    assert len(list(folder.glob("app.log*"))) > 1, "nothing was rotated"
    assert all(LINE.match(line) for line in written)
    seen = sorted(
        (int(m[2]), int(m[1])) for line in written if (m := re.search(r"after (\d+) .*=(\d)$", line))
    )
    assert seen == [(number, line) for number in range(3) for line in range(each)]


def test_a_folder_that_cannot_be_made_anew_is_said_once_and_the_lines_come_back_with_it(tmp_path, capsys):
    folder = tmp_path / "deep" / "logs"
    logs.set_up_logs(folder, "worker", terminal=False)
    logger.info("one")
    shutil.rmtree(folder.parent)
    folder.parent.write_text("a file is in the way")
    logger.info("two")
    logger.info("three")
    said = capsys.readouterr().err
    assert said.count(f"{folder}/app.log cannot be written") == 1
    assert logs.files_not_written() == ["app.log", "worker.log"]
    folder.parent.unlink()
    logger.info("four")
    assert logs.files_not_written() == []
    assert lines_of(folder / "app.log")[-1].endswith("four")


def test_a_full_disk_costs_lines_and_nothing_else(tmp_path, monkeypatch):
    logs.set_up_logs(tmp_path, "worker", terminal=False)
    before = logs.lost_lines()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(logs._File, "do_write", full)
    logger.info("lost")
    assert logs.lost_lines() == before + 2  # in app.log and in worker.log
    monkeypatch.undo()
    logger.info("kept")
    assert lines_of(tmp_path / "app.log")[-1].endswith("kept")


def test_the_terminal_gets_short_lines(tmp_path, capsys):
    logs.set_up_logs(tmp_path, "both", terminal=True)
    logger.bind(job_id="j-1").info("a reply was sent")
    logger.warning("a person is needed")
    first, second = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d  a reply was sent", first)
    assert re.fullmatch(r"\d\d:\d\d:\d\d  warning: a person is needed", second)


def test_setting_up_twice_does_not_write_twice(tmp_path):
    for _ in range(2):
        logs.set_up_logs(tmp_path, "both", terminal=False)
    logger.info("once")
    assert len(lines_of(tmp_path / "app.log")) == 1


@pytest.mark.parametrize(
    ("text", "canary"),
    [
        ("POST /api/ai/webhook-simple?token=1b2c.dGVzdA-_x HTTP/1.1", "dGVzdA-_x"),
        ('{"token": "dGVzdA-_x"}', "dGVzdA-_x"),
        ("Authorization: Bearer abcDEF123456", "abcDEF123456"),
        ("authorization=Basic dXNlcjpwdw==", "dXNlcjpwdw"),
        ("headers {'Authorization': 'Bearer abcDEF123456', 'x': 1}", "abcDEF123456"),
        ("sent Bearer abcDEF123456 along", "abcDEF123456"),
        ("Cookie: _aat=0q1w; _airbed_session_id=8f2e", "8f2e"),
        ("set-cookie: _aat=0q1w; Path=/", "0q1w"),
        ("X-API-KEY: verysecretkey", "verysecretkey"),
        ("api_key=verysecretkey", "verysecretkey"),
        ("secret whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "MfKQ9r8G"),
        ("webhook-signature v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", "g0hM9SsE"),
        ("key sk-proj-abcdef1234567890", "abcdef1234567890"),
        ("password=hunter2x", "hunter2x"),
        ("postgresql+psycopg://porter:hunter2x@db/inbox", "hunter2x"),
        ("write to gerda.guest+x@mail.example.org please", "gerda.guest"),
        ("call +33 6 12 34 56 78 now", "12 34 56"),
        ("call +33612345678 now", "612345678"),
        ("call 06 12 34 56 78 now", "12 34 56"),
        ("call 0612345678 now", "0612345678"),
        ("call (415) 555-0132 now", "555-0132"),
        ("call 415-555-0132.", "555-0132"),
        ("the door code is 4821", "4821"),
        ("Code: 482913#", "482913"),
        ("4821 opens the lock", "4821"),
        ("keypad 59-31 or lockbox 77310", "77310"),
        ("Wi-Fi: 48214821", "48214821"),
    ],
)
def test_secrets_and_personal_data_are_hidden(text, canary):
    assert canary not in logs.redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "request 550e8400-e29b-41d4-a716-446655440000 was posted",
        "request 12345678-1234-4123-8123-123456789012 was posted",
        "conversation TWVzc2FnZVRocmVhZDoxMjM0NTY3",
        "message 12345678901 in thread 1234567",
        "next look at 2026-11-20T10:11:12.123+00:00",
        "from 2026-11-20 10:11:12 to 2026-11-21 09:00:00",
        "http://127.0.0.1:8000/health and 192.168.100.200",
        "exit code 10, HTTP 503, 45.5 s, try 3 of 5",
        "a reply of 1,234 characters in 1.25 s",
        "1700000000.123",
    ],
)
def test_ids_times_and_addresses_stay_readable(text):
    assert logs.redact(text) == text


def test_loaded_secrets_are_hidden_by_value_in_every_likely_form():
    logs.hide(["p@ss/wörd", "", "abc"])
    assert logs.redact("x p@ss/wörd y p%40ss%2Fw%C3%B6rd abc") == f"x {logs.HIDDEN} y {logs.HIDDEN} abc"


def test_an_error_is_told_in_one_safe_line():
    error = RuntimeError(
        "(sqlite3.OperationalError) database is locked\n[SQL: …]\n[parameters: ('guest text',)]"
    )
    assert logs.safe_error(error) == "RuntimeError: (sqlite3.OperationalError) database is locked"
    assert logs.safe_error(TimeoutError()) == "TimeoutError"
    assert len(logs.safe_error(ValueError("x" * 5000))) <= 300


def test_as_json_each_line_is_an_object_without_secrets(tmp_path):
    logs.set_up_logs(tmp_path, "both", terminal=False, secrets=["a-very-secret-key"], as_json=True)
    error = ValueError("it holds a-very-secret-key\nand more")
    logger.bind(part="api", job_id="j-1").opt(exception=error).error("failed with a-very-secret-key\nand é")
    logger.info("plain")
    logs.close_logs()
    first, second = (json.loads(line) for line in lines_of(tmp_path / "app.log"))
    assert (first["level"], first["part"], first["fields"]) == ("ERROR", "api", {"job_id": "j-1"})
    assert first["message"] == "failed with [hidden]\nand é"
    assert first["exception"].startswith("ValueError: it holds [hidden]")
    assert second["message"] == "plain"
    assert "secret" not in (tmp_path / "app.log").read_text()
    assert [json.loads(line)["message"] for line in lines_of(tmp_path / "worker.log")] == ["plain"]
