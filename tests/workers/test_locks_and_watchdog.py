"""What keeps two copies apart, and what ends a copy that is stuck."""

import os
import threading

import pytest

from src.workers import watchdog as watchdog_module
from src.workers.locks import FileLock
from src.workers.watchdog import Watchdog

# --- file locks ------------------------------------------------------------------------------------------------


def take(_number, path):
    lock = FileLock(path)
    return lock.try_acquire() and lock.held


def take_and_die(_number, path):
    FileLock(path).try_acquire()
    return os.getpid()


def test_of_several_processes_one_gets_the_lock(in_processes, tmp_path):
    path = tmp_path / "browser.lock"
    held = FileLock(path)
    assert held.try_acquire()
    assert in_processes(3, take, path) == [False, False, False]
    held.release()
    assert in_processes(1, take, path) == [True]


def test_a_process_that_ends_lets_go_of_its_lock_however_it_ends(in_processes, tmp_path):
    path = tmp_path / "browser.lock"
    in_processes(1, take_and_die, path)
    assert not FileLock(path).is_taken()
    assert FileLock(path).try_acquire()


def test_a_lock_is_taken_once_and_given_back(tmp_path):
    first, second = FileLock(tmp_path / "folder" / "a.lock"), FileLock(tmp_path / "folder" / "a.lock")
    assert first.try_acquire()
    assert first.try_acquire()  # it is ours already
    assert not second.try_acquire()
    assert (first.held, second.held) == (True, False)
    assert first.is_taken()
    assert second.is_taken()
    first.release()
    first.release()
    assert not second.is_taken()
    assert second.try_acquire()


def test_the_file_and_its_folder_are_the_owners_alone(tmp_path):
    lock = FileLock(tmp_path / "folder" / "a.lock")
    assert lock.try_acquire()
    assert lock.path.stat().st_mode & 0o077 == 0
    assert lock.path.parent.stat().st_mode & 0o077 == 0


async def test_a_lock_can_be_waited_for(tmp_path):
    first, second = FileLock(tmp_path / "a.lock"), FileLock(tmp_path / "a.lock")
    assert first.try_acquire()
    assert not await second.acquire(timeout=0)
    first.release()
    assert await second.acquire(timeout=0)
    assert await second.acquire()


# --- the watchdog ----------------------------------------------------------------------------------------------


class Time:
    """A clock for the watchdog that also tells when it was looked at."""

    def __init__(self):
        self.now = 1000.0
        self.looked = threading.Semaphore(0)

    def monotonic(self):
        self.looked.release()
        return self.now

    def wait_for_looks(self, number):
        for _ in range(number):
            assert self.looked.acquire(timeout=10)


@pytest.fixture
def time(monkeypatch):
    made = Time()
    monkeypatch.setattr(watchdog_module, "time", made)
    return made


@pytest.fixture
def given_up():
    return threading.Event()


@pytest.fixture
def watchdog(time, given_up):
    made = Watchdog(90.0, give_up=given_up.set, every=0.001)
    made.start()
    yield made
    made.stop()
    made._thread.join(10)


def test_the_watchdog_gives_up_when_there_is_no_progress_for_too_long(watchdog, time, given_up):
    watchdog.mark("SEND: reading")
    time.now += 90.5
    assert given_up.wait(10)


def test_the_watchdog_waits_as_long_as_there_is_progress(watchdog, time, given_up):
    for _ in range(5):
        watchdog.mark("SEND: reading")
        time.now += 89.0
        time.wait_for_looks(3)
    assert not given_up.is_set()


def test_the_watchdog_wants_nothing_while_nothing_is_under_way(watchdog, time, given_up):
    watchdog.mark("SEND: reading")
    watchdog.mark("")
    time.now += 10_000
    assert not given_up.wait(0.02)


def test_a_watchdog_that_was_stopped_gives_up_nothing(time, given_up):
    watchdog = Watchdog(90.0, give_up=given_up.set, every=0.001)
    watchdog.start()
    watchdog.stop()
    watchdog._thread.join(10)
    watchdog.mark("SEND: reading")
    time.now += 10_000
    assert not given_up.is_set()


def test_the_watchdog_ends_the_process_with_its_own_code(in_processes):
    def hang(_number):
        if (child := os.fork()) == 0:
            watchdog = Watchdog(0.0, every=0.001)
            watchdog.mark("a call that never returns")
            watchdog.start()
            threading.Event().wait(10)
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    assert in_processes(1, hang) == [70]
