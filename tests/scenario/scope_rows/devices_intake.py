# SPDX-License-Identifier: Apache-2.0
HASH = "\\x" + "ab" * 32
STATEMENTS = {
    "device_scan": (lambda w: ["item-1"], {"kind"}),
    "device_scan_person": (lambda w: ["x", w["citizen"]], {"kind"}),
    "device_intake_create": (lambda w: [None, None, "centre", "good_rows", "another-file", "xlsx", HASH, 1, 1], ()),
    "device_intake_get": (lambda w: [1], ()),
    "device_intakes_list": (lambda w: ["centre", None, 200], ()),
    "device_intake_items": (lambda w: [1, None, 200], ()),
    "device_intake_cancel": (lambda w: [None, None, 1], ()),
    "device_intake_file": (lambda w: [1], ()),
    "device_intake_begin": (lambda w: [1], ()),
    "device_intake_stage": (lambda w: [1, *["{9}"] * 8, "{2024-01-01}", "{1}", "{2024-01-01}", "{9}", "{9}"], ()),
    "device_intake_refuse": (lambda w: [1, "{9}", "{code}", "{}", 9], ()),
    "device_intake_settle": (lambda w: [1], ()),
    "device_intake_enter": (lambda w: [1], ()),
    "device_labels": (lambda w: [None, 1, *[None] * 10], {"count"}),
    "device_intake_stop": (lambda w: [1, "failed", None, None], ()),
}
EXCEPTED = {"device_intake_models": "the catalogue is no secret within the service", "backup_has_intakes": "the owner's, of the catalogue of tables",
            "backup_intake_uploads": "the owner's: a backup is of everything"}
WORLD = """
INSERT INTO device_intake (plan_region, centre_id, region, account_id, mode, file, format, fingerprint, bytes, state, rows)
SELECT plan_region, id, region, (SELECT min(id) FROM account), 'good_rows', 'an-intake', 'xlsx', 'x', 1, 'running', 3 FROM centre WHERE code = 'centre';
INSERT INTO device_intake_row (intake_id, number, model, quantity, serial, batch, source, donor, acquired_on, shelf, note)
SELECT id, 1, 'a-model', 1, '', '', 'purchased', '', '2024-01-01', '', '' FROM device_intake;
INSERT INTO device_intake_refusal (intake_id, number, code, field) SELECT id, 2, 'code_taken', '条码' FROM device_intake;
INSERT INTO device_intake_item (intake_id, number, plan_region, item_id) SELECT k.id, 3, i.plan_region, i.id FROM device_intake k, device_item i WHERE i.code = 'item-1';
"""
