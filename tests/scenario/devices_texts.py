# SPDX-License-Identifier: Apache-2.0
"""For test_texts.py: the way to each free text of the catalogue of devices."""
import step_centre

WAYS = {
    ("PUT", "/api/v1/centres/{code}"): lambda w: (w.manager, "/centres/texts", {"plan": "tongxin", "region": "640324", "name": "a"}),
    ("PUT", "/api/v1/device-classes/{scheme}/{edition}/{code}"): lambda w: (w.admin, f"/device-classes/{step_centre.CLASS}", {"name_zh": "a"}),
    # (Its class was named just before: endpoints are tried in the order of their paths.)
    ("PUT", "/api/v1/device-models/{code}"): lambda w: (w.admin, "/device-models/texts", {
        "measure": "manual_wheelchair", "name_zh": "a", "class": step_centre.CLASS, "service_months": 12}),
    ("PUT", "/api/v1/device-classes/{scheme}/{edition}/{code}/links"): lambda w: (w.admin, f"/device-classes/{step_centre.CLASS}/links", {
        "relation": "same"}),
}
ELSEWHERE = {("PUT", "/api/v1/centres/{code}", "plan"): "test_centres.py::test_no_text_but_a_plan_is_one"}
REFERENCES = {("PUT", "/api/v1/device-models/{code}", "measure"), ("PUT", "/api/v1/device-models/{code}", "class"),
              ("PUT", "/api/v1/device-classes/{scheme}/{edition}/{code}/links", "to")}
