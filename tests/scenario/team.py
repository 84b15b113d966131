# SPDX-License-Identifier: Apache-2.0
"""A county at work: the people whom a case passes on its way, each signed in. The modules step_*.py each do one part of
that way through the API; they take a Team and the id of a case."""
import itertools

_numbers = itertools.count(1)


class Team:
    """Its contractor is a firm of its own. admin: somebody signed in as an administrator (of `people`)."""

    def __init__(self, people, region="640324"):
        self.firm = f"firm-team-{next(_numbers)}"
        self.admin = people.admin
        self.manager = people.manager(region)
        self.county = people.county(region)
        self.assessor = people.assessor(region)
        self.contractor = people.contractor(self.firm)

    def give_visit(self, case):
        """The assessor may see the case from now on."""
        self.county.patch(f"/cases/{case}", {"assessor": self.assessor.user})
        return case

    def close_gates(self, plan, *gates):
        """The tests' plans begin with every gate open: processes.Database.migrate."""
        for gate in gates:
            self.admin.put(f"/plans/{plan}/gates/{gate}", {"closed": True, "note": "试验"})
