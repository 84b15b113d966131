# SPDX-License-Identifier: Apache-2.0
"""How the walk of free texts gets into scans and intakes."""
ELSEWHERE = {("POST", "/api/v1/scans", "code"): "test_scans.py::test_naughty_texts_are_scanned"}
