# SPDX-License-Identifier: Apache-2.0
"""Invented people for needs files. Every number is valid, and each call's people are new, so tests share a database."""
import csv
import io
import itertools

COLUMNS = ("序号 姓名 性别 残疾人证号 残疾类别 残疾等级 户编号 与户主关系 联系电话 区划代码 村(社区) 详细地址 经度 纬度 "
           "经济状况 家庭特征 改造需求 辅具需求 登记日期 备注").split()
CATEGORIES = dict(zip("视力 听力 言语 肢体 智力 精神 多重".split(), "1234567"))
LEVELS = dict(zip("一级 二级 三级 四级".split(), "1234"))
# A township of each plan, to be somewhere by default.
PLACES = {"qinghai": "630106101", "linxia": "622921100", "daqing": "230602013", "yanbian": "222401002",
          "tongxin": "640324101"}
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
SURNAMES, GIVEN = "赵钱孙李周吴郑王冯陈", "安平和顺康宁文华成林"
numbers = itertools.count(1)


def check_digit(seventeen):
    return "10X98765432"[sum(weight * int(digit) for weight, digit in zip(WEIGHTS, seventeen)) % 11]


def citizen_id(number, county="640324", born="1960"):
    """The number-th invented citizen of a county; the samples have nobody born on these days of 1899 to 1904."""
    day, order = divmod(number, 1000)
    seventeen = f"{county[:6]}{born}{day // 28 % 12 + 1:02}{day % 28 + 1:02}{order:03}"
    return seventeen + check_digit(seventeen)


def certificate(citizen, category="肢体", level="一级", reissue=""):
    return citizen + CATEGORIES[category] + LEVELS[level] + reissue


def row(plan="tongxin", household=None, **columns):
    """One valid row as a dict by column; any column can be given. The default is eligible under every plan."""
    number = next(numbers)
    place = columns.get("区划代码", PLACES[plan])
    category, level = columns.get("残疾类别", "肢体"), columns.get("残疾等级", "一级")
    citizen = columns.pop("citizen", None) or citizen_id(number, place, born="1901")
    filled = {
        "序号": str(number), "姓名": SURNAMES[number % 10] + GIVEN[number // 10 % 10] + GIVEN[number // 100 % 10],
        "性别": "男" if int(citizen[16]) % 2 else "女", "残疾人证号": certificate(citizen, category, level),
        "残疾类别": category, "残疾等级": level, "户编号": household or household_number(number, place),
        "与户主关系": "户主", "联系电话": f"139{number:08}", "区划代码": place, "村(社区)": "试验村",
        "详细地址": f"试验村{number}号", "经度": "105.900000", "纬度": "36.900000", "经济状况": "低保", "家庭特征": "",
        "改造需求": "坡道;扶手", "辅具需求": "", "登记日期": "2022-03-01", "备注": "",
    }
    unknown = set(columns) - set(COLUMNS)
    assert not unknown, f"no such column: {unknown}"
    return {**filled, **columns}


def household_number(number, place):
    return f"{place}9{number:06}"


def household(plan="tongxin", people=1, **columns):
    """The rows of one household; its 户编号 is in the first."""
    first = row(plan, **columns)
    return [first] + [row(plan, first["户编号"], **{**columns, "与户主关系": "父母"}) for _ in range(people - 1)]


def to_csv(rows, encoding="utf-8-sig"):
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode(encoding)


def from_csv(data, encoding="utf-8-sig"):
    return list(csv.DictReader(io.StringIO(data.decode(encoding), newline="")))
