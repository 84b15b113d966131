# SPDX-License-Identifier: Apache-2.0
"""For test_texts.py: the way to each free text of the catalogue of devices."""
import step_centre
import step_request
import step_stock
from step_loop import minutes_ago


def open_follow_up(w):
    """The id of one that is open, of a fitting that is made once."""
    if not hasattr(w, "device_follow_up"):
        centre = step_centre.set_up(w.people)
        (needy,) = step_request.bring(w.manager, 1)
        item = step_stock.take_in(centre, step_centre.model(w.admin))[0]
        fitting = step_request.granted(centre, w.manager, needy, item["code"])["id"]
        w.device_follow_up = centre.get("/device-follow-ups", query={"handover": fitting}).items[0]["id"]
    w.database.sql("""UPDATE device_follow_up SET state = 'open', outcome = NULL, answers = NULL, happened_at = NULL, done_at = NULL, account_id = NULL
                      WHERE id = %s""", w.device_follow_up)
    return w.device_follow_up


WAYS = {
    ("PUT", "/api/v1/centres/{code}"): lambda w: (w.manager, "/centres/texts", {"plan": "tongxin", "region": "640324", "name": "a"}),
    ("PUT", "/api/v1/device-classes/{scheme}/{edition}/{code}"): lambda w: (w.admin, f"/device-classes/{step_centre.CLASS}", {"name_zh": "a"}),
    # (Its class was named just before: endpoints are tried in the order of their paths.)
    ("PUT", "/api/v1/device-models/{code}"): lambda w: (w.admin, "/device-models/texts", {
        "measure": "manual_wheelchair", "name_zh": "a", "class": step_centre.CLASS, "service_months": 12}),
    ("PUT", "/api/v1/device-classes/{scheme}/{edition}/{code}/links"): lambda w: (w.admin, f"/device-classes/{step_centre.CLASS}/links", {
        "relation": "same"}),
    ("POST", "/api/v1/device-follow-ups/{id}/result"): lambda w: (w.manager, f"/device-follow-ups/{open_follow_up(w)}/result", {
        "outcome": "moved", "happened_at": minutes_ago()}),
}
ELSEWHERE = {("PUT", "/api/v1/centres/{code}", "plan"): "test_centres.py::test_no_text_but_a_plan_is_one"}
REFERENCES = {("PUT", "/api/v1/plans/{code}/indicators/{indicator}", "measure"), ("PUT", "/api/v1/device-models/{code}", "measure"), ("PUT", "/api/v1/device-models/{code}", "class"),
              ("PUT", "/api/v1/device-classes/{scheme}/{edition}/{code}/links", "to")}
