# SPDX-License-Identifier: Apache-2.0
"""Recalls, as an office makes them and a centre chases them. item: as answered, its label's code, or its id.

    recall = step_recall.recall(office, model, batch="2024-A")      # the answer; its id: recall["id"]
    step_recall.attempt(centre, recall, item, reached=True)
    step_recall.resolve(office, recall, item, "harmless")           # "repaired", "lost"; what is recycled is resolved by that
    step_recall.withdraw(office, recall); step_recall.end(office, recall)
"""
from step_loop import label

DUE = "2099-12-31"


def _apart(more):
    return {name: more.pop(name) for name in ("expect", "code", "key", "match") if name in more}


def _path(recall):
    return f"/device-recalls/{recall if isinstance(recall, int) else recall['id']}"


def recall(client, model, reason="车架开裂", due_on=DUE, **fields):
    options = _apart(fields)
    return client.post("/device-recalls", {"model": model, "reason": reason, "due_on": due_on, **fields}, **{"expect": 201, **options})


def attempt(client, recall, item, how="phone", reached=False, **fields):
    options = _apart(fields)
    return client.post(f"{_path(recall)}/items/{label(item)}/attempts", {"how": how, "reached": reached, **fields}, **{"expect": 201, **options})


def resolve(client, recall, item, resolution="harmless", note="检查无异常", **options):
    return client.post(f"{_path(recall)}/items/{label(item)}/resolution", {"resolution": resolution, "note": note}, **options)


def withdraw(client, recall, note="误报", **options):
    return client.post(f"{_path(recall)}/withdrawal", {"note": note}, **options)


def end(client, recall, note="全部处理完毕", **options):
    return client.post(f"{_path(recall)}/end", {"note": note}, **options)
