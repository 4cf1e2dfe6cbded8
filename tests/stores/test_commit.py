from __future__ import annotations

import time
from threading import Lock, Thread

import pytest

from inkling.core.errors import StoreError
from inkling.stores.commit import GroupCommit


def test_everybody_is_served_once_and_in_groups():
    written, gate = [], Lock()

    def write(tickets):
        time.sleep(0.001)
        with gate:
            for ticket in tickets:
                written.extend(ticket.blocks)
                ticket.version = len(written)

    commits = GroupCommit(write)
    got = [[] for _ in range(8)]

    def work(which):
        for i in range(30):
            got[which].append((commits.submit([(which, i)]), (which, i)))

    threads = [Thread(target=work, args=(which,)) for which in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(written) == [(which, i) for which in range(8) for i in range(30)]
    assert all(written[version - 1] == block for part in got for version, block in part)


def test_all_who_wait_hear_of_a_failure_and_the_next_may_try_again():
    calls = []

    def write(tickets):
        calls.append(len(tickets))
        if len(calls) == 1:
            raise StoreError("the disk is full.")
        for ticket in tickets:
            ticket.version = 7

    commits, errors = GroupCommit(write), []

    def work():
        try:
            commits.submit([])
        except StoreError as error:
            errors.append(error)

    with commits.lock:
        threads = [Thread(target=work) for _ in range(5)]
        for thread in threads:
            thread.start()
        while len(commits._waiting) < 5:
            time.sleep(0.001)
    for thread in threads:
        thread.join()
    assert (len(errors), calls) == (5, [5])
    assert commits.submit([]) == 7


def test_a_failure_alone():
    def write(tickets):
        raise StoreError("the disk is full.")

    with pytest.raises(StoreError, match="the disk is full"):
        GroupCommit(write).submit([])
