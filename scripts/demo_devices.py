# SPDX-License-Identifier: Apache-2.0
"""The rehabilitation centre of the example: models, a stock with two years of history, requests from the county's needs, fittings and
rentals, the loop, a recall, a stock-taking. Everything goes through the API, on the days of its story."""
import random
from datetime import date, datetime, timedelta, timezone

CENTRE, POINT, REGION, POINT_REGION, PLAN = "demo-centre", "demo-point", "640324", "640324100", "tongxin"
SHARED, RECALLED = "wheelchair-light", "2024-06"
# kind: model, name, class, years of service, price, subsidy, rent and its subsidy a month, deposit (元), hours of a loan, how it is granted
MODELS = {
    "manual_wheelchair": (SHARED, "轻便手动轮椅", "iso9999/2016/1222", 3, 800, 600, 30, 10, 200, 24, "rental"),
    "powered_wheelchair": ("wheelchair-power", "电动轮椅", "iso9999/2016/1223", 5, 5200, 3000, 150, 80, 800, None, "rental"),
    "walking_frame": ("frame-fold", "折叠助行器", "iso9999/2016/1206", 3, 220, 180, 10, 5, 50, 72, "fitting"),
    "crutch": ("crutch-axillary", "腋拐", "iso9999/2016/1203", 3, 90, 90, 0, 0, 0, 72, "fitting"),
    "white_cane": ("cane-fold", "折叠盲杖", "iso9999/2016/123903", 2, 60, 60, 0, 0, 0, None, "fitting"),
    "hearing_aid": ("hearing-bte", "耳背式助听器", "iso9999/2016/2206", 5, 2600, 2000, 0, 0, 0, None, "fitting"),
    "low_vision_aid": ("magnifier-hand", "手持助视器", "iso9999/2016/2203", 3, 480, 400, 0, 0, 0, None, "fitting"),
    "communication_board": ("board-picture", "图片沟通板", "iso9999/2016/2221", 3, 150, 150, 0, 0, 0, None, "fitting"),
    "care_bed": ("bed-crank", "双摇护理床", "iso9999/2016/1812", 8, 1900, 1200, 60, 30, 300, None, "rental"),
    "anti_decubitus_pad": ("pad-air", "充气防褥疮垫", "iso9999/2016/0433", 2, 260, 220, 0, 0, 0, None, "fitting"),
    "prosthesis": ("leg-below-knee", "小腿假肢", "iso9999/2016/0624", 3, 7800, 6500, 0, 0, 0, None, "fitting"),
    "orthosis": ("orthosis-ankle", "踝足矫形器", "iso9999/2016/0612", 2, 1200, 1000, 0, 0, 0, None, "fitting"),
}
CONDITIONS = ("good", "good", "worn", "worn", "damaged")


def at(day, hour=10):
    """That hour in China, as the API takes it."""
    return f"{day}T{hour - 8:02}:00:00Z"


class Centre:
    """admin, county, centre: signed-in connections (scripts/demo's Api). until: the last day of the story."""

    def __init__(self, admin, county, centre, until, seed):
        self.admin, self.county, self.centre = admin, county, centre
        self.until, self.random = until, random.Random(seed)
        self.shelf = {}  # kind: codes of items in stock, the oldest first
        self.back = []   # (day, code) of what came back and waits

    def day_after(self, day, least, most):
        return min(day + timedelta(days=self.random.randint(least, most)), self.until)

    # --- what there is ---

    def furnish(self):
        for code, region, name in ((CENTRE, REGION, "同心县残疾人辅助器具服务中心"), (POINT, POINT_REGION, "豫海镇辅具社区服务点")):
            self.admin("PUT", f"/centres/{code}", {"plan": PLAN, "region": region, "name": name, "phone": "0953-8020000", "address": "豫海镇"})
        for measure, (code, name, group, years, price, subsidy, rent, rent_subsidy, deposit, hours, _) in MODELS.items():
            self.admin("PUT", f"/device-models/{code}", {
                "measure": measure, "name_zh": name, "class": group, "service_months": years * 12, "price": price * 100,
                "subsidy": subsidy * 100, "rent": rent * 100, "rent_subsidy": rent_subsidy * 100, "deposit": deposit * 100,
                **({"loan_hours": hours} if hours else {})})

    def stock(self, wanted):
        """wanted: {kind: how many are asked for}. Some more than will be granted, so that something stands on the shelves."""
        for measure, (code, *_) in MODELS.items():
            for number in range(1, wanted.get(measure, 0) + 4):
                day = self.until - timedelta(days=self.random.randint(500, 700))
                item, _ = self.centre("POST", "/device-items", {
                    "model": code, "serial": f"{code[:4].upper()}{number:04}", "batch": RECALLED if number % 3 == 0 else "2024-01",
                    "taken_in_on": str(day), "price": MODELS[measure][4] * 100, "shelf": f"{'ABCDEF'[number % 6]}-{number % 4 + 1}",
                    "warranty_until": str(day + timedelta(days=730))})
                self.shelf.setdefault(measure, []).append(item["code"])
        for donor in ("王女士", "县第二中学", "爱心企业联合会"):
            self.centre("POST", "/device-items", {"model": SHARED, "source": "donated", "donor": donor, "serial": f"DON{self.random.randint(1000, 9999)}",
                                                  "taken_in_on": str(self.until - timedelta(days=40))})
        self.centre("PUT", "/stock-minimums/measure/manual_wheelchair", {"minimum": 8})

    # --- who is served ---

    def requests(self):
        self.county("POST", "/device-requests/from-needs", {"centre": CENTRE})
        return [one for one in self.centre.pages("/device-requests?state=waiting&limit=200") if one["measure"] in MODELS]

    def measured(self, request):
        wanted = self.centre("GET", f"/device-requests/{request}")[0]["to_measure"]
        return [{"code": one["code"], "value": round((one["min"] * 2 + one["max"]) / 3)} for one in wanted if one["required"]]

    def serve(self, request):
        """One of them, from the assessment on; some wait still."""
        chance, measure = self.random.random(), request["measure"]
        if chance < .15 or not self.shelf.get(measure):
            return
        day = self.until - timedelta(days=self.random.randint(5, 450))
        purpose = MODELS[measure][-1]
        if chance < .2:
            self.centre("POST", f"/device-requests/{request['id']}/assessment", {
                "outcome": "reassess", "reason": "术后恢复期，三个月后再评", "happened_at": at(day), "reassess_on": str(day + timedelta(days=90))})
            return
        self.centre("POST", f"/device-requests/{request['id']}/assessment", {
            "outcome": "pass", "assessed_for": purpose, "happened_at": at(day), "measurements": self.measured(request["id"])})
        if chance > .25:
            self.hand_over(request, purpose, self.day_after(day, 1, 20))

    def hand_over(self, request, purpose, day):
        code = self.shelf[request["measure"]].pop(0)
        body = {"request": int(request["id"]), "item": code, "happened_at": at(day, 15), "signer": "本人",
                "signature": {"strokes": [[10, 40, 30, 12, 52, 44], [20, 30, 44, 30]]}}
        if purpose == "fitting":
            self.centre("POST", "/fittings", body)
            return
        rental, _ = self.centre("POST", "/rentals", {**body, "months": 6, "deposit_paid": True})
        end = day + timedelta(days=self.random.randint(60, 240))
        if end < self.until:
            self.come_back(rental["id"], code, end)

    def come_back(self, rental, code, day):
        self.centre("POST", f"/rentals/{rental}/return", {"happened_at": at(day), "condition": self.random.choice(CONDITIONS)})
        settled, _ = self.centre("GET", f"/rentals/{rental}/settlement?charges=0")
        self.centre("POST", f"/rentals/{rental}/close", {"closed_on": str(day), "received": settled["rest"]})
        self.back.append((day, code))

    # --- the loop ---

    def go_round(self):
        """What came back long ago is in stock again, in repair or recycled; what came lately waits where it is."""
        for day, code in sorted(self.back):
            if day > self.until - timedelta(days=15):
                continue
            cleaned = day + timedelta(days=1)
            self.centre("POST", "/device-disinfections", {"items": [{"item": code}], "method": "wipe", "agent": "alcohol_75",
                                                          "began_at": at(cleaned, 9), "ended_at": at(cleaned, 10)})
            fate = self.random.random()
            if fate < .7:
                self.inspect(code, cleaned, "pass", grade=self.random.choice("ABBC"))
            elif fate < .9:
                self.mend(code, cleaned)
            else:
                self.inspect(code, cleaned, "recycle", note="车架变形，不宜再用")
                self.centre("POST", "/device-recyclings", {"item": code, "reason": "beyond_repair", "happened_at": at(cleaned, 16),
                                                           "parts": [{"name": "坐垫", "quantity": 1}, {"name": "脚踏", "quantity": 2}]})

    def inspect(self, code, day, result, **more):
        body = {"item": code, "all_ok": True, "result": result, "happened_at": at(day, 14), **more}
        return self.centre("POST", "/device-inspections", body)[0]

    def mend(self, code, day):
        self.inspect(code, day, "repair", note="左侧刹车失灵")
        repair = next(self.centre.pages(f"/device-repairs?item={code}"))
        done = min(day + timedelta(days=6), self.until)
        self.centre("POST", f"/device-repairs/{repair['id']}/end", {
            "outcome": "mended", "ended_at": at(done), "repairer": "县辅具维修站", "labour": 2000,
            "parts": [{"name": "刹车线", "quantity": 1, "cost": 3500}]})
        self.inspect(code, done, "pass", grade="B")

    def lend_and_recall(self):
        """Today: a shared wheelchair is out, one is overdue, and a batch is recalled."""
        now = datetime.now(timezone.utc)
        for hours, borrower in ((2, "集市管理处"), (40, "李师傅")):
            item = next(one for one in self.centre.pages("/device-items?state=in_stock&model=" + SHARED))
            self.centre("POST", "/device-loans", {"item": item["code"], "borrower": borrower, "phone": "13800000000", "hours": 24,
                                                  "happened_at": (now - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")})
        self.county("POST", "/device-recalls", {"model": "frame-fold", "batch": RECALLED, "reason": "锁扣批次缺陷，可能突然折叠",
                                                "due_on": str(date.today() + timedelta(days=30))})


def fill(admin, county, centre, until, seed):
    """Nothing, when the centre has stock already."""
    if centre("GET", "/device-items?limit=1")[0]["items"]:
        print("  devices: there already")
        return
    story = Centre(admin, county, centre, until, seed)
    story.furnish()
    requests = story.requests()
    wanted = {}
    for request in requests:
        wanted[request["measure"]] = wanted.get(request["measure"], 0) + 1
    story.stock(wanted)
    for request in requests:
        story.serve(request)
    story.go_round()
    story.lend_and_recall()
    rate, _ = county("GET", f"/plans/{PLAN}/device-rate")
    print(f"  devices: {sum(wanted.values())} requests, {rate['fitted']} of {rate['needing']} people fitted")
