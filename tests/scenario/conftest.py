# SPDX-License-Identifier: Apache-2.0
"""The fixtures of the scenarios are in harness.py, which tests/fault shares."""
from harness import *  # noqa: F401,F403
