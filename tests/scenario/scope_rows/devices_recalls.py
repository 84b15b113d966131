# SPDX-License-Identifier: Apache-2.0
"""Recalls: number 1 (devices.py made it) of what centre `centre` has."""
STATEMENTS = {
    "device_recall_preview": (lambda w: ["a-model", None, None, None, "640324"], {
        "model", "region", "items", "blocked", "with_holder", "by_state", "centres"}),
    "device_recall_begin": (lambda w: [None, None, "a-model", None, None, None, "a", "2099-01-01", "640324"], ()),
    "device_recall_change": (lambda w: [None, None, 1, None, "2099-01-01"], ()),
    "device_recall_withdraw": (lambda w: [None, None, 1, None, "a"], ()),
    "device_recall_end": (lambda w: [None, None, 1, None, "a"], ()),
    "device_recall_get": (lambda w: [1], ()),
    "device_recalls_list": (lambda w: [None, None, 200], ()),
    "device_recall_items": (lambda w: [1, None, None, None, None, 200], ()),
    "device_recall_item_get": (lambda w: [1, "item-1"], ()),
    "device_recall_attempt": (lambda w: [None, None, 1, "item-1", "phone", True, None, None], ()),
    "device_recall_attempts": (lambda w: [1, "item-1"], ()),
    "device_recall_resolve": (lambda w: [None, None, 1, "item-1", None, "harmless", "a"], ()),
    "recall_overdue_scan": (lambda w: [], ()),
}
WORLD = """
INSERT INTO device_recall_attempt (plan_region, item_id, recall_id, number, centre_id, region, how, reached, happened_at, account_id)
SELECT plan_region, item_id, recall_id, 1, centre_id, region, 'phone', false, now(), 1 FROM device_recall_item ORDER BY item_id LIMIT 1;
"""
