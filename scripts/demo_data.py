# SPDX-License-Identifier: Apache-2.0
"""Invented households for the five plans, and what became of each. The same seed gives the same people; nobody of them
exists: names are made of common characters, numbers are drawn and given a right check digit."""
import csv
import io
import random
from collections import namedtuple
from datetime import date, timedelta
from pathlib import Path

REGIONS = Path(__file__).resolve().parent.parent / "db" / "data" / "regions.csv"
COLUMNS = ("序号 姓名 性别 残疾人证号 残疾类别 残疾等级 户编号 与户主关系 联系电话 区划代码 村(社区) 详细地址 经度 纬度 "
           "经济状况 家庭特征 改造需求 辅具需求 登记日期 备注").split()

# code, region, households, eligibility (severe, poor), surnames that are common there
Plan = namedtuple("Plan", "code region households severe poor surnames")
PLANS = (
    Plan("qinghai", "630000", 1400, True, True, "马李王张刘赵韩祁冶杨陈才多扎星"),
    Plan("linxia", "622900", 900, True, True, "马马张王李何杨陈唐妥鲁祁汪石周"),
    Plan("daqing", "230600", 600, False, False, "王李张刘孙赵于姜徐高杨吴宋郭曲"),
    Plan("yanbian", "222400", 450, False, True, "金李朴崔郑姜尹张王韩许玄安徐全"),
    Plan("tongxin", "640324", 400, True, True, "马杨王李丁周罗白苏金张锁田黑冯"),
)
GIVEN = {"男": "国强建军文斌志海林生福德贵祥成明光荣平安永年世虎", "女": "桂兰秀英玉梅春花凤霞丽红淑琴芳珍燕云月菊翠莲彩"}
VILLAGE = ("东西南北上下前后新大小中", "岭沟庄湾台坪塘河桥岗滩泉")

CATEGORIES = dict(zip("视力 听力 言语 肢体 智力 精神 多重".split(), "1234567"))
CATEGORY_WEIGHTS = (13, 17, 4, 44, 8, 8, 6)
LEVELS = dict(zip("一级 二级 三级 四级".split(), "1234"))
HARDSHIP = ("低保", "低保边缘", "特困", "防返贫监测")
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
RETROFIT = {
    "视力": "盲道提示 语音提示器 防滑地面 扶手", "听力": "闪光门铃 闪光水壶 可视门铃", "言语": "紧急呼叫 可视门铃",
    "肢体": "坡道 扶手 地面平整 防滑地面 升降晾衣架 低位灶台 沐浴椅 坐便器 门加宽",
    "智力": "防护栏 防滑地面 燃气报警器", "精神": "防护栏 门锁改造 燃气报警器", "多重": "坡道 坐便器 闪光门铃 防滑地面 扶手",
}
DEVICES = {
    "视力": "盲杖 助视器 语音血压计", "听力": "助听器 闪光门铃", "言语": "沟通板",
    "肢体": "手动轮椅 电动轮椅 拐杖 助行器 假肢 矫形器 护理床 防褥疮垫", "智力": "定位手环", "精神": "定位手环",
    "多重": "手动轮椅 护理床 助听器",
}
# Roughly where each prefecture (and how wide) is: longitude, latitude, spread in degrees.
PLACES = {
    "6301": (101.6, 36.7, .3), "6302": (102.3, 36.3, .3), "6322": (100.9, 37.2, .5), "6323": (102.0, 35.3, .3),
    "6325": (100.5, 35.9, .5), "6326": (99.9, 34.0, .6), "6327": (96.9, 32.9, .7), "6328": (97.4, 37.1, .8),
    "6229": (103.2, 35.6, .25), "2306": (125.0, 46.3, .4), "2224": (129.3, 42.9, .5), "6403": (106.0, 36.9, .2),
}
WORKING_ROAD = ("approved", "surveyed", "designed", "assigned", "building", "built", "accepted", "closed")
# Where a household's story ends, and how many of a hundred end there. Those that read the same went different ways.
ENDS = {
    "registered": 11, "approved": 8, "surveyed": 7, "designed": 5, "assigned": 6, "building": 7, "built": 6,
    "accepted": 19, "closed": 15, "rejected": 3, "withdrawn": 3, "suspended": 3, "rework": 3, "revoked": 1,
    "accepted after rework": 2, "accepted after suspension": 1,
}
NOTES = {
    "withdrawn": ("户主来电说明已随子女搬到外地居住", "家庭自行完成改造，申请撤销", "房屋列入拆迁范围，暂不改造"),
    "rejected": ("本户已享受居家适老化改造，不再重复改造", "入户核实，经济状况不符合条件", "入户核实，残疾等级不符合条件"),
    "suspended": ("户主住院，出院后再入户", "冬季停工，开春后继续", "租住房屋，等待房主同意"),
    "rework": ("坡道坡度超过一比十二，须重做", "扶手安装不牢固，须加固", "卫生间地面有积水，须重做坡面"),
    "revoked": ("抽查发现改造项目与方案不符，撤销验收", "抽查发现扶手脱落，撤销验收"),
}

Household = namedtuple("Household", "number rows road")  # road: [(stage, date, note)…]


class Neighbourhood:
    """Everything drawn at random for one plan."""

    def __init__(self, plan, seed, until):
        self.plan = plan
        self.random = random.Random(f"{seed}/{plan.code}")
        self.until = until
        self.townships = townships_below(plan.region)
        self.citizens = set()
        self.sequence = 0

    def households(self):
        return [self.household(number) for number in range(1, self.plan.households + 1)]

    def household(self, number):
        pick = self.random
        code, name, county = pick.choice(self.townships)
        home = self.home(code, name, county)
        home["户编号"] = f"{code}7{number:06}"
        end = pick.choices(list(ENDS), ENDS.values())[0]
        eligible = end != "rejected" or not (self.plan.severe or self.plan.poor)
        device_only = pick.random() < .06  # no retrofit need, so no case
        home["经济状况"] = pick.choice(HARDSHIP) if eligible and (self.plan.poor or pick.random() < .6) else "一般"
        registered = self.until - timedelta(days=pick.randint(180, 730))
        people = [self.person(home, index, registered, eligible) for index in range(pick.choices((1, 2, 3), (76, 20, 4))[0])]
        for person in people:
            person["与户主关系"] = relation(person, people[0])
        for person in people:
            person["家庭特征"] = ";".join(traits_of(people, registered))
            if device_only:
                person["改造需求"] = ""
                person["辅具需求"] = person["辅具需求"] or self.some_of(DEVICES[person["残疾类别"]], True)
        return Household(home["户编号"], people, [] if device_only else self.road(end, registered))

    def home(self, code, name, county):
        pick = self.random
        community = name.endswith("街道")
        village = pick.choice(VILLAGE[0]) + pick.choice(VILLAGE[1]) + ("社区" if community else "村")
        longitude, latitude, spread = PLACES[code[:4]]
        place = random.Random(code)  # neighbours live near each other
        longitude += place.uniform(-spread, spread) + pick.gauss(0, .012)
        latitude += place.uniform(-spread, spread) * .7 + pick.gauss(0, .009)
        return {"区划代码": code, "村(社区)": village, "详细地址": f"{county}{name}{village}{pick.randint(1, 299)}号",
                "经度": f"{longitude:.6f}", "纬度": f"{latitude:.6f}"}

    def person(self, home, index, registered, eligible):
        pick = self.random
        sex = pick.choice("男女")
        category = pick.choices(list(CATEGORIES), CATEGORY_WEIGHTS)[0]
        severe = index == 0 and eligible and self.plan.severe
        level = pick.choices(list(LEVELS), (34, 66, 0, 0) if severe else (18, 27, 32, 23))[0]
        citizen = self.citizen_id(home["区划代码"][:6], sex, 40 if index == 0 else 8)
        self.sequence += 1
        return {
            **home, "序号": str(self.sequence), "姓名": self.name(sex), "性别": sex, "残疾类别": category, "残疾等级": level,
            "残疾人证号": citizen + CATEGORIES[category] + LEVELS[level] + ("B1" if pick.random() < .05 else ""),
            "联系电话": f"1{pick.choice('3578')}{pick.randint(0, 999999999):09}",
            "改造需求": self.some_of(RETROFIT[category], index == 0 or pick.random() < .7),
            "辅具需求": self.some_of(DEVICES[category], index > 0 or pick.random() < .5),
            "登记日期": registered.isoformat(), "备注": "",
        }

    def some_of(self, items, wanted):
        items = items.split()
        if not wanted:
            return ""
        return ";".join(self.random.sample(items, min(len(items), self.random.choices((1, 2, 3), (5, 3, 2))[0])))

    def name(self, sex):
        length = self.random.choices((1, 2), (3, 7))[0]
        return self.random.choice(self.plan.surnames) + "".join(self.random.sample(GIVEN[sex], length))

    def citizen_id(self, county, sex, youngest):
        while True:
            born = date(self.until.year - youngest, 1, 1) - timedelta(days=self.random.randint(0, 365 * (82 - youngest)))
            order = self.random.randrange(250) * 2 + (1 if sex == "男" else 0)
            seventeen = f"{county}{born:%Y%m%d}{order:03}"
            if seventeen not in self.citizens:
                self.citizens.add(seventeen)
                return seventeen + check_digit(seventeen)

    def road(self, end, registered):
        """The stages after `registered` with their days and notes; the last is never after `until`."""
        stages = list(stages_to(end))
        if not stages:
            return []
        room = (self.until - registered).days / (len(stages) + 1)
        day, road = registered, []
        for stage, reason in stages:
            least = 14 if stage == "surveyed" else 1  # the public notice comes before it
            day += timedelta(days=max(least, int(room * self.random.uniform(.5, 1))))
            road.append((stage, day, self.random.choice(NOTES[reason]) if reason else ""))
        return road


def stages_to(end):
    """(stage, which of NOTES) of a story that ends there."""
    plain = {stage: [(one, None) for one in WORKING_ROAD[:index + 1]] for index, stage in enumerate(WORKING_ROAD)}
    if end == "registered":
        return []
    if end in plain:
        return plain[end]
    return {
        "rejected": [("rejected", "rejected")],
        "withdrawn": plain["approved"] + [("withdrawn", "withdrawn")],
        "suspended": plain["surveyed"] + [("suspended", "suspended")],
        "rework": plain["built"] + [("rework", "rework")],
        "revoked": plain["accepted"] + [("built", "revoked")],
        "accepted after rework": plain["built"] + [("rework", "rework"), ("building", None), ("built", None), ("accepted", None)],
        "accepted after suspension": plain["surveyed"] + [("suspended", "suspended"), ("surveyed", None)]
        + [step for step in plain["accepted"] if step not in plain["surveyed"]],
    }[end]


def birth_year(person):
    return int(person["残疾人证号"][6:10])


def relation(person, head):
    """What a member is to the head, as far as the years allow to say."""
    if person is head:
        return "户主"
    younger = birth_year(person) - birth_year(head)
    if abs(younger) >= 18:
        return "子女" if younger > 0 else "父母"
    return "配偶" if person["性别"] != head["性别"] else "其他"


def traits_of(people, today):
    old = [person for person in people if today.year - birth_year(person) >= 60]
    relations = {person["与户主关系"] for person in people}
    traits = ["一户多残"] if len(people) > 1 else []
    traits += ["老残一体"] if old else []
    traits += ["依老养残"] if old and "子女" in relations else []
    return traits


def check_digit(seventeen):
    return "10X98765432"[sum(weight * int(digit) for weight, digit in zip(WEIGHTS, seventeen)) % 11]


def townships_below(region):
    """(code, name, name of its county) of the townships below a region."""
    with open(REGIONS, encoding="utf-8") as file:
        rows = {row["code"]: row for row in csv.DictReader(file)}
    prefix = region.rstrip("0") if len(region.rstrip("0")) % 2 == 0 else region.rstrip("0") + "0"
    return [(code, row["name"], rows[row["parent_code"]]["name"])
            for code, row in sorted(rows.items()) if row["level"] == "township" and code.startswith(prefix)]


def spoil(rows, seed):
    """Copies of some rows as clerks really send them, wrong in one place: an import must have something to refuse."""
    pick = random.Random(f"{seed}/spoilt")
    for row in pick.sample(rows, max(3, len(rows) // 120)):
        column, value = pick.choice((("联系电话", "1390"), ("登记日期", "明年"), ("区划代码", "999999999"), ("姓名", "")))
        yield {**row, "序号": str(len(rows) + int(row["序号"])), column: value, "备注": ""}


def to_csv(households, seed):
    rows = [row for household in households for row in household.rows]
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows([*rows, *spoil(rows, seed)])
    return out.getvalue().encode("utf-8-sig")
