# SPDX-License-Identifier: Apache-2.0
"""The loop: what centre `centre` returned, disinfected, inspected, repaired and recycled (devices.py made it: facts 1 to 4)."""
ITEMS = '[{"item": "item-1"}]'
STATEMENTS = {
    "device_return": (lambda w: [None, None, "item-1", "good", None, None], {"condition"}),
    "device_unreturn": (lambda w: [None, None, "item-1"], ()),
    "disinfection_begin": (lambda w: [None, None, ITEMS, "wipe", "alcohol_75", None, None, None], {"items", "method", "agent", "least_minutes", "began_at"}),
    "disinfection_add": (lambda w: [None, None, 1, ITEMS, None], {"items"}),
    "disinfection_end": (lambda w: [None, None, 1, None, None, None, None], {"items"}),
    "disinfection_get": (lambda w: [1], ()),
    "disinfections_list": (lambda w: ["centre", None, None, 200], ()),
    "disinfection_method_put": (lambda w: [None, None, "wipe", "alcohol_75", None, "a", None, None, 1, None, None],
                                {"method", "agent", "name_zh", "name_ko", "name_en", "minutes", "source", "retired", "version"}),
    "device_checklist_put": (lambda w: [None, None, "default", None, '[{"code": "a", "name_zh": "a", "essential": true}]'],
                             {"checklist_of", "points", "created_at", "version"}),
    "device_inspect": (lambda w: [None, None, "item-1", None, True, "A", "pass", None, None], {"checklist_of", "checklist_version", "checklist"}),
    "device_inspections_of_item": (lambda w: ["item-1", None, 200], ()),
    "device_repair_open": (lambda w: [None, None, "item-1", "a", None, None, None, None], ()),
    "device_repair_end": (lambda w: [None, None, 3, None, "mended", None, None, None, None, None, None, None], ()),
    "device_repair_get": (lambda w: [3], ()),
    "device_repairs_list": (lambda w: ["centre", None, None, 200], ()),
    "device_repairs_of_item": (lambda w: ["item-2", None, 200], ()),
    "device_recycle": (lambda w: [None, None, "item-1", "unsafe", None, None, None, None], ()),
    "device_recyclings_list": (lambda w: ["centre", None, 200], ()),
    "device_recyclings_waiting": (lambda w: ["centre", None, 200], ()),
    "device_parts_list": (lambda w: ["centre", None, 200], ()),
    "device_certificate": (lambda w: [4], ()),
}
EXCEPTED = {"disinfection_methods": "methods of the installation, for everybody who signs in", "device_checklists": "points of inspections, likewise",
            "device_checklist_get": "points of an inspection, likewise"}
ADMINISTRATORS = {"disinfection_method_put", "device_checklist_put"}
READ_BY_ALL = {"disinfection_method", "device_checklist"}
WORLD = """
INSERT INTO device_return (plan_region, item_id, version, centre_id, region, condition)
SELECT plan_region, id, 1, centre_id, region, 'good' FROM device_item WHERE code = 'item-1';
INSERT INTO device_certificate (centre_id, region, year, last) SELECT id, region, 2024, 1 FROM centre WHERE code = 'centre';
"""
