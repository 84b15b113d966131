# SPDX-License-Identifier: Apache-2.0
"""SIGTERM: what was taken is answered, what is not answered was never begun, and the end is clean at any moment."""
import os
import random
import signal
import time
from pathlib import Path

import pytest
from load import free_port
from processes import wait_until


def children(program):
    return [int(pid) for pid in Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()]


@pytest.fixture
def pair(database, make_server):
    program = make_server("serve", "--processes", 2, "--no-work", database=database, TANTU_LISTEN=f"127.0.0.1:{free_port()}")
    wait_until(lambda: len(program.events("listening")) == 2, 30, "both children")
    return program


def test_a_child_that_dies_is_replaced(pair):
    before = children(pair)
    os.kill(before[0], signal.SIGKILL)
    wait_until(lambda: len(children(pair)) == 2 and before[0] not in children(pair), 20, "another child")
    wait_until(lambda: len(pair.events("listening")) == 3, 30, "the other child at work")
    assert before[1] in children(pair) and pair.running


def test_the_end_is_clean_while_a_child_is_missing(pair):
    os.kill(children(pair)[0], signal.SIGKILL)
    wait_until(lambda: pair.events("process_died"), 20, "the parent's insight")
    pair.stop()


def test_the_end_is_clean_soon_after_the_start(database, make_server):
    dice = random.Random(3)
    for arguments in (["serve", "--processes", 2, "--no-work"], ["serve"], ["work"]):
        for _ in range(4):
            program = make_server(*arguments, database=database, wait=False)
            wait_until(lambda program=program: program.text(), 30, "its first line")
            time.sleep(dice.random() * 0.2)
            program.stop()
