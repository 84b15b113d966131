# SPDX-License-Identifier: Apache-2.0
"""The part of device_model.py in which nobody has the item: the loop, other centres, recalls."""
from device_model_data import ACTING, Batch, OFFICE, Recall, Repair, Transfer


class Loop:
    # --- the loop ---

    def disinfect(self, who, items):
        if who.role not in ACTING:
            return {"role_not_allowed"}
        first = min((item for item in items if self.sees(who, item)), key=lambda item: item.id, default=None)
        right = first and self.runs(who, first.centre) and all(
            self.sees(who, item) and item.centre == first.centre and item.state == "returned" and not item.transfer for item in items)
        return set() if right else {"items_refused"}

    def disinfected(self, who, id, items, done):
        batch = Batch(id, items[0].centre, list(items))
        self.batches.append(batch)
        for item in items:
            item.batch = batch
            item.happen("disinfect", "disinfecting", who)
        if done:
            self.end_batch(who, batch, [])
        return batch

    def end_batch(self, who, batch, failed):
        if who.role not in ACTING:
            return {"role_not_allowed"}
        if not self.runs(who, batch.centre):
            return {"not_found"}
        inside = [item for item in batch.items if item.batch is batch and item.state == "disinfecting"]
        refused = {"disinfection_over"} if batch.over else set()
        if any(item not in inside for item in failed):
            refused.add("items_refused")
        if not refused:
            batch.over = True
            for item in inside:
                item.batch = None
                item.happen(*(("soil", "returned") if item in failed else ("disinfected", "inspecting")), who)
        return refused

    def inspect(self, who, item, result):
        refused = self.touched(who, item)
        if refused:
            return refused
        if item.transfer:
            refused.add("device_on_its_way")
        if item.state not in ("inspecting", "in_stock", "recalled"):
            refused.add("device_state")
        if result == "repair" and item.repair:
            refused.add("repair_open")
        if not refused:
            if item.state != "inspecting":
                item.happen("inspect", "inspecting", who)
            if result == "pass":
                item.happen("pass", "recalled" if item.recalls else "in_stock", who)
        return refused

    def repair(self, who, item):
        refused = self.touched(who, item)
        if refused:
            return refused
        if item.transfer:
            refused.add("device_on_its_way")
        if item.repair:
            refused.add("repair_open")
        if item.state not in ("inspecting", "in_stock", "recalled"):
            refused.add("device_state")
        return refused

    def repaired(self, who, id, item):
        item.repair = Repair(id, item, item.centre)
        self.repairs.append(item.repair)
        item.happen("repair", "repairing", who)

    def end_repair(self, who, repair, outcome):
        item = repair.item
        if who.role not in ACTING:
            return {"role_not_allowed"}
        if not self.sees(who, item) or not self.runs(who, repair.centre):
            return {"not_found"}
        if repair.over:
            return {"repair_over"}
        repair.over, item.repair = True, None
        if item.state == "repairing" and outcome == "mended":
            item.happen("mended", "inspecting", who)
        return set()

    def recycle(self, who, item):
        refused = self.touched(who, item)
        if refused:
            return refused
        if item.transfer:
            refused.add("device_on_its_way")
        if item.state not in ("returned", "inspecting", "repairing", "in_stock", "recalled"):
            refused.add("device_state")
        if not refused:
            if item.repair:
                item.repair.over, item.repair = True, None
            item.happen("recycle", "recycled", who)
            for recall in list(item.recalls):
                self.resolved(recall, item, who)
        return refused

    # --- to another centre ---

    def send(self, who, origin, items, to):
        if who.role not in ACTING:
            return {"role_not_allowed"}
        if not self.runs(who, origin):
            return {"centre_unknown"}
        if origin == to:
            return {"destination_is_origin"}
        right = all(item.centre == origin and not item.transfer and item.state in ("in_stock", "returned", "inspecting", "recalled") for item in items)
        return set() if right else {"items_refused"}

    def sent(self, who, id, origin, items, to):
        transfer = Transfer(id, origin, to, list(items))
        self.transfers.append(transfer)
        for item in items:
            item.transfer = transfer
            item.happen("send", item.state, who)

    def end_transfer(self, who, transfer, received):
        if who.role not in ACTING:
            return {"role_not_allowed"}
        sends, gets = self.runs(who, transfer.origin), self.runs(who, transfer.to)
        if not sends and not gets:
            return {"not_found"}
        if not (gets and (sends or who.role == "centre") if received else sends):
            return {"transfer_of_another"}
        if not transfer.items:
            return {"transfer_over"}
        for item in list(transfer.items):
            item.transfer = None
            if received:
                item.centre = transfer.to
                if item.repair:  # it was lost meanwhile, and found: whoever has it ends it
                    item.repair.centre = transfer.to
            item.happen("receive" if received else "unsend", item.state, who)
        transfer.items = []
        return set()

    # --- recalls, by the manager of the plan ---

    def recall(self, id, serials, who):
        recall = Recall(id, serials)
        self.recalls.append(recall)
        for item in self.items:
            self.recall_item(recall, item, who)
        return recall

    def recall_item(self, recall, item, who=None):
        if recall.means(item) and item.state != "recycled":
            recall.open.append(item)
            item.recalls.append(recall)
            if item.recalls[0] is recall:
                self.held_back(item, who)

    @staticmethod
    def held_back(item, who):
        item.reserved = None
        item.happen("recall", "recalled" if item.state in ("in_stock", "reserved") else item.state, who)

    def resolve(self, who, recall, item, resolution):
        """resolution: harmless, lost."""
        if who.role not in OFFICE:
            return {"role_not_allowed"}
        if item not in recall.open and not (recall.means(item) and item.state == "recycled") or not self.runs(who, item.centre):
            return {"not_found", "recall_item_resolved"}
        if item not in recall.open:
            return {"recall_item_resolved"}
        if resolution == "lost" and item.state != "lost":
            return {"resolution_unproved"}
        self.resolved(recall, item, who)
        return set()

    def resolved(self, recall, item, who):
        recall.open.remove(item)
        first = item.recalls[0] is recall
        item.recalls.remove(recall)
        if first:
            item.happen("lift", "inspecting" if item.state == "recalled" else item.state, who)
            if item.recalls:
                self.held_back(item, who)

    def withdraw(self, who, recall):
        if who.role not in OFFICE:
            return {"role_not_allowed"}
        if not who.here or who.role == "county":
            return {"not_found"}
        if recall.over:
            return {"recall_over"}
        recall.over = True
        for item in list(recall.open):
            self.resolved(recall, item, who)
        return set()
