# SPDX-License-Identifier: Apache-2.0
"""For test_texts.py: the texts of requests and fittings are walked where they are."""
TEXTS = {("POST", "/api/v1/device-requests"): ["measure", "centre", "note"],
         ("POST", "/api/v1/device-requests/{id}/assessment"): ["measure", "changes", "reason", "note"],
         ("POST", "/api/v1/device-requests/{id}/cancellation"): ["reason"],
         ("POST", "/api/v1/device-requests/{id}/exception"): ["reason"],
         ("POST", "/api/v1/device-requests/{id}/centre"): ["centre"],
         ("POST", "/api/v1/device-requests/{id}/reservation"): ["item"],
         ("POST", "/api/v1/device-requests/from-needs"): ["measure", "centre"],
         ("POST", "/api/v1/fittings"): ["item", "signer", "note"], ("POST", "/api/v1/trials"): ["item", "signer", "note"],
         ("POST", "/api/v1/trials/{id}/keep"): ["signer", "note"], ("POST", "/api/v1/fittings/{id}/signature"): ["signer"],
         ("POST", "/api/v1/walk-ins"): ["certificate", "measure", "centre", "note", "name", "phone", "village", "address", "hardship"]}
ELSEWHERE = {(*endpoint, field): "test_device_requests.py::test_naughty_texts_come_back" for endpoint, fields in TEXTS.items() for field in fields}
