/* SPDX-License-Identifier: Apache-2.0
 * What a barcode scanner types, or somebody in its place, made into what was meant. */
#ifndef API_SCAN_TEXT_H
#define API_SCAN_TEXT_H

#include "service/slice.h"

enum { SCAN_IDENTITY_BYTES = 18 };

/* Full-width forms as their ASCII ones; dashes and the ideographic full stop as - and .; what is not seen
 * (controls, zero-width characters) left out; blanks at both ends off; and a symbology identifier that some
 * scanners put in front (]C1, ]Q3). text is well-formed UTF-8; out takes text.len bytes. */
size_t scan_fold(struct slice text, char *out);

/* Whether what was folded is a citizen ID or a certificate, whose first 18 characters out then has: blanks
 * within left out, x as X, the check digit right. */
bool scan_is_identity(struct slice folded, char out[SCAN_IDENTITY_BYTES]);

#endif
