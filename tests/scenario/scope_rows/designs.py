# SPDX-License-Identifier: Apache-2.0
STATEMENTS = {
    "case_plan_sheet": (lambda w: [w["case"]], ()),
}
