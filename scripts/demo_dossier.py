# SPDX-License-Identifier: Apache-2.0
"""What lies behind the cases of the one plan whose gates stay closed in the example: notices, surveys, designs, orders, photos,
inspections, payments. Everything goes through the API, on the days of the household's story."""
import random
import uuid
from collections import defaultdict, namedtuple
from datetime import date, timedelta

import demo_pictures

NOTICE_DAYS, CEILING, SUBSIDY = 5, 600000, 450000  # 分 a household
# A need of the file: where it is found, what is wrong there, what is done, and what it costs here (分).
FOUND = {
    "坡道": ("entrance", "entrance_steps", "ramp", 180000), "扶手": ("bathroom", "toilet_without_support", "toilet_grab_bar", 42000),
    "地面平整": ("living_room", "floor_uneven", "level_ground", 9000), "防滑地面": ("bathroom", "floor_slippery", "nonslip_floor", 8500),
    "升降晾衣架": ("living_room", "clothes_rack_out_of_reach", "lifting_clothes_rack", 68000),
    "低位灶台": ("kitchen", "worktop_too_high", "low_worktop", 210000), "沐浴椅": ("bathroom", "bathing_unsafe", "bath_chair", 29000),
    "坐便器": ("bathroom", "squat_toilet", "toilet", 95000), "门加宽": ("bathroom", "door_too_narrow", "door_widening", 88000),
    "闪光门铃": ("entrance", "doorbell_not_heard", "flashing_doorbell", 26000),
    "闪光水壶": ("kitchen", "kettle_not_heard", "flashing_kettle", 19000), "可视门铃": ("entrance", "visitor_not_seen", "video_doorbell", 46000),
    "紧急呼叫": ("bedroom", "help_out_of_call", "emergency_call", 52000), "盲道提示": ("entrance", "way_not_found", "tactile_guidance", 6000),
    "语音提示器": ("entrance", "way_not_found", "voice_prompt", 15000), "防护栏": ("bedroom", "falling_out_of_bed", "guard_rail", 24000),
    "燃气报警器": ("kitchen", "gas_unnoticed", "gas_alarm", 21000), "门锁改造": ("entrance", "door_hard_to_open", "door_lock", 33000),
}


# One step of a household's story: it is about to enter a stage on a day. contractor: whose it is; note: why, where there is a reason.
Step = namedtuple("Step", "case household day contractor note")


def noon(day):
    return f"{day}T02:00:00Z"


class Dossier:
    """connection(api) is the caller's own connection of an account; contractors by code."""

    def __init__(self, crew, plan, assessor):
        self.crew, self.plan, self.assessor = crew, plan, assessor
        self.surveyed = set()
        self.items = {}   # case: the numbers of its items
        self.faults = {}  # case: the item that failed its inspection
        crew.manager("PATCH", f"/plans/{plan}", {"notice_days": NOTICE_DAYS, "subsidy_ceiling": CEILING})
        for code, name in (("province", "省级补助资金"), ("county", "县级配套资金")):
            crew.manager("POST", f"/plans/{plan}/subsidy-sources", {"code": code, "name_zh": name})

    def call(self, api, *arguments, **headers):
        return self.crew.connection(api)(*arguments, **headers)[0]

    # --- notices: of a county and a week ---

    def publish(self, approved):
        """approved: [(case, county, day of approval)]. From the Monday after; somebody objected to a few."""
        weeks = defaultdict(list)
        for case, county, day in approved:
            weeks[county, day + timedelta(days=7 - day.weekday())].append(case)
        objections = 0
        for (county, monday), cases in sorted(weeks.items()):
            if monday > date.today() + timedelta(days=60):
                continue
            notice = self.call(self.crew.manager, "POST", f"/plans/{self.plan}/notices", {
                "region": county, "starts_on": str(monday), "cases": [{"case": case} for case in cases]})
            if objections < 3 and len(cases) > 2 and monday + timedelta(days=2) < date.today():
                objections += 1
                self.object(notice["id"], cases[0], monday + timedelta(days=2))

    def object(self, notice, case, day):
        said = self.call(self.crew.manager, "POST", f"/notices/{notice}/objections", {
            "case": case, "content": "该户在县城另有住房", "received_at": noon(day)})
        self.call(self.crew.manager, "POST", f"/cases/{case}/objections/{said['id']}/resolution",
                  {"outcome": "dismissed", "note": "经核实，县城住房为亲属所有"})

    # --- before a stage, and after it ---

    def before(self, stage, step):
        work = getattr(self, f"before_{stage}", None)
        if work:
            work(step)

    def photo(self, case, slot, picture, api=None, **query):
        fields = "&".join(f"{key}={value}" for key, value in query.items())
        return self.call(api or self.assessor, "PUT", f"/cases/{case}/photos/{uuid.uuid4()}?slot={slot}&{fields}", picture,
                         Content_Type="image/png")["id"]

    def sign(self, case, occasion):
        return self.photo(case, "signature", demo_pictures.signature(f"{case}/{occasion}"))

    def before_surveyed(self, step):
        case, home = step.case, step.household.rows[0]
        if case in self.surveyed:  # it was suspended meanwhile
            return
        self.surveyed.add(case)
        self.call(self.crew.manager, "PATCH", f"/cases/{case}", {"assessor": "demo-assessor"})
        findings = findings_of(step.household)
        _, headers = self.crew.connection(self.assessor)("PUT", f"/cases/{case}/survey", {
            "visited_at": noon(step.day), "longitude": float(home["经度"]), "latitude": float(home["纬度"]), "findings": findings})
        for finding in findings:
            self.photo(case, "before", demo_pictures.room(f"{case}/{finding['number']}"), finding=finding["number"])
        for by, name in (("household", home["姓名"]), ("assessor", "评估员")):
            self.call(self.assessor, "POST", f"/cases/{case}/survey/signatures",
                      {"by": by, "name": name, "signature": self.sign(case, f"survey/{by}"), "signed_at": noon(step.day)},
                      If_Match=headers.get("ETag"))

    def before_designed(self, step):
        survey = self.call(self.assessor, "GET", f"/cases/{step.case}/survey")
        price = {measure: cost for _, _, measure, cost in FOUND.values()}
        items = [{"finding": one["number"], "room": one["room"], "measure": one["measure"], "quantity": one["quantity"],
                  "price": price[one["measure"]]} for one in survey["findings"]]
        subsidy = min(sum(int(item["quantity"] * item["price"]) for item in items), SUBSIDY)
        made = self.call(self.assessor, "PUT", f"/cases/{step.case}/design", {"items": items, "sources": [
            {"source": "province", "amount": subsidy * 2 // 3}, {"source": "county", "amount": subsidy - subsidy * 2 // 3}]})
        self.items[step.case] = [(item["number"], item["quantity"]) for item in made["items"]]

    def after_assigned(self, step):
        self.call(self.crew.contractors[step.contractor], "POST", f"/cases/{step.case}/order/accept", {})

    def before_built(self, step):
        if step.note:  # a revocation: nothing was built
            return
        again = self.faults.pop(step.case, None)
        for number, _ in self.items[step.case]:
            if again in (None, number):
                picture = demo_pictures.room(f"{step.case}/{number}{'/again' if again else ''}", done=True)
                self.photo(step.case, "after", picture, self.crew.contractors[step.contractor], item=number)

    def before_accepted(self, step):
        self.inspect(step)

    def before_rework(self, step):
        self.inspect(step, fault=step.note)

    def inspect(self, step, fault=""):
        items = [{"item": number, "measured": quantity, "fault": fault if index == 0 else ""}
                 for index, (number, quantity) in enumerate(self.items[step.case])]
        body = {"inspected_at": noon(step.day), "items": items, "satisfaction": 2 if fault else random.Random(step.case).choice((4, 5, 5)),
                "signature": self.sign(step.case, f"inspection/{step.day}"), "result": "rework" if fault else "pass"}
        if fault:
            body["deadline"] = str(step.day + timedelta(days=14))
            self.faults[step.case] = items[0]["item"]
        self.call(self.assessor, "POST", f"/cases/{step.case}/inspections", body)

    def before_closed(self, step):
        for line in self.call(self.crew.manager, "GET", f"/cases/{step.case}/design")["sources"]:
            self.call(self.crew.manager, "POST", f"/cases/{step.case}/payments", {
                "source": line["source"], "amount": line["amount"], "paid_on": str(step.day), "reference": f"{line['source']}-{step.case}"})


def findings_of(household):
    """What the survey finds: the needs of the file, each in its room."""
    draw = random.Random(f"survey/{household.number}")
    needs = dict.fromkeys(item for row in household.rows for item in row["改造需求"].split(";") if item)
    return [{"number": number, **dict(zip(("room", "problem", "measure"), FOUND[need])), "consent": "agreed", "consent_by": "户主",
             "quantity": draw.randint(4, 12) if FOUND[need][3] < 10000 else 1} for number, need in enumerate(needs, 1)]
