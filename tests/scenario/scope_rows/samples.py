# SPDX-License-Identifier: Apache-2.0
SAMPLE = 6403240000000900
STATEMENTS = {
    "sample_freeze": (lambda w: [None, None, "tongxin", None, "2021-01-01", "2025-12-31", 1, None, None, "a", "2099-01-01T00:00:00Z", "why"], ()),
    "sample_draw": (lambda w: [None, None, SAMPLE + 1, None, "a"], ()),
    "sample_get": (lambda w: [SAMPLE], ()),
    "samples_list": (lambda w: ["tongxin", None, 200], ()),
    "sample_strata": (lambda w: [SAMPLE, None, 200], ()),
    "sample_frame": (lambda w: [SAMPLE, None, 200], ()),
    "sample_cases": (lambda w: [SAMPLE, None, None, 200], ()),
    "sample_case_get": (lambda w: [SAMPLE, w["accepted"]], ()),
    "sample_assign": (lambda w: [None, None, SAMPLE, w["accepted"], "assessor"], ()),
    "sample_find": (lambda w: [None, None, SAMPLE, w["accepted"], "2026-01-01T00:00:00Z", "ok", None, None], ()),
    "sample_findings": (lambda w: [SAMPLE, w["accepted"], None, 200], ()),
    "sample_rates": (lambda w: [SAMPLE, "whole"], ()),
    "verify_samples": (lambda w: [], ()),
}
# One that is drawn (and whose kept digest is wrong, so that verify_samples has something to say), one that is only frozen.
WORLD = f"""
INSERT INTO sample (plan_region, id, plan_id, region, high, accepted_from, accepted_to, per_stratum, seed_source, seed_at, note, households,
    strata, takes, digest, account_id, seed, drawn_by, drawn_at)
SELECT 640324000, {SAMPLE} + n, id, 640324000, 640324999, '2021-01-01', '2025-12-31', 1, 'a', now(), '', 1, 1, 1, 'none', 1,
    CASE n WHEN 0 THEN 'a' END, 1, now() FROM plan, generate_series(0, 1) AS n WHERE code = 'tongxin';
INSERT INTO sample_stratum VALUES (640324000, {SAMPLE}, 1, 640324000, '640324', 'firm', 1, 1, 'none');
INSERT INTO sample_case SELECT plan_region, {SAMPLE}, id, 1, region, household_number, householder, village, accepted_on
FROM retrofit_case WHERE accepted_on IS NOT NULL ORDER BY id LIMIT 1;
INSERT INTO sample_pick SELECT plan_region, {SAMPLE}, case_id, region, 1, 'none' FROM sample_case;
INSERT INTO sample_visit (plan_region, sample_id, case_id, region, assessor_id, assigned_by)
SELECT plan_region, {SAMPLE}, case_id, region, (SELECT min(id) FROM account WHERE role = 'assessor'), 1 FROM sample_case;
INSERT INTO sample_finding (plan_region, sample_id, case_id, number, region, visited_at, result, note, account_id)
SELECT plan_region, {SAMPLE}, case_id, 1, region, now(), 'ok', '', 1 FROM sample_case;
"""
