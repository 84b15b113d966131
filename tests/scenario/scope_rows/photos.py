# SPDX-License-Identifier: Apache-2.0
"""Photos (scope_rows/__init__.py says what is what)."""
import step_photos

NAME = "6f9619ff-8b86-d011-b42d-00c04fc964ff"
FACTS = '{"kind": "png", "bytes": 9, "width": 3, "height": 4, "captured": ""}'
seen = {}


def fill(manager, admin, cases, people):
    """One photo of before."""
    seen["case"] = cases[2]
    seen["photo"] = step_photos.send(manager, cases[2], "before", name=NAME)["id"]


EXCEPTED = {"photos_swept": "how many files are missing, of the whole service; asked by the service itself only"}
STATEMENTS = {
    "photo_may": (lambda w: [seen["case"], "00000000-0000-4000-8000-000000000001", "before", None, None, 300], ()),
    "photo_add": (lambda w: [None, None, seen["case"], NAME, "before", None, None, None, "a", 300, "\\x" + "ab" * 32, FACTS, None], ()),
    "photo_sent": (lambda w: [seen["case"], NAME], ()),
    "photos_list": (lambda w: [seen["case"], None, None, None, 200], ()),
    "photo_file": (lambda w: [seen["photo"]], ()),
    "photo_remove": (lambda w: [None, None, seen["case"], NAME, "why"], ()),
    "photos_give_up": (lambda w: [1, 730118], {"installation"}),
    "photos_judge": (lambda w: ["{" + "ab" * 32 + "}"], {"hash"}),
    "photos_missing": (lambda w: ["{}", "00" * 32, "ff" * 32], ()),
    "photos_known": (lambda w: ["", 200], ()),
}
