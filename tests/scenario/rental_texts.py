# SPDX-License-Identifier: Apache-2.0
"""For test_texts.py: the texts of rentals and loans are walked where they are."""
TEXTS = {("POST", "/api/v1/rentals"): ["item", "signer", "note"], ("POST", "/api/v1/rentals/{id}/return"): ["note"],
         ("POST", "/api/v1/rentals/{id}/loss"): ["note"], ("POST", "/api/v1/rentals/{id}/extension"): ["agreed_by", "note"],
         ("POST", "/api/v1/rentals/{id}/close"): ["waive_reason", "note"], ("POST", "/api/v1/rentals/{id}/payments"): ["reference", "note"],
         ("POST", "/api/v1/rentals/{id}/payments/{payment}/reversal"): ["reason"], ("POST", "/api/v1/rentals/{id}/chases"): ["whom", "note"],
         ("POST", "/api/v1/device-loans"): ["item", "borrower", "phone", "note"], ("POST", "/api/v1/device-loans/return"): ["item", "note"],
         ("POST", "/api/v1/device-loans/{id}/loss"): ["note"]}
ELSEWHERE = {(*endpoint, field): "test_rental_money.py::test_naughty_texts_come_back" for endpoint, fields in TEXTS.items() for field in fields}
