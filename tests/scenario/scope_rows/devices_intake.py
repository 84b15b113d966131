# SPDX-License-Identifier: Apache-2.0
STATEMENTS = {
    "device_scan": (lambda w: ["item-1"], {"kind"}),
    "device_scan_person": (lambda w: ["x", w["citizen"]], {"kind"}),
}
