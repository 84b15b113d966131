/* SPDX-License-Identifier: Apache-2.0
 * A password from the operator: a file, a prompt on the terminal (twice, unseen), or standard input. Never
 * from the command line, which everybody on the machine can read. */
#ifndef COMMANDS_PASSWORD_INPUT_H
#define COMMANDS_PASSWORD_INPUT_H

#include "service/invariant.h"
#include <stdbool.h>
#include <stddef.h>

enum { PASSWORD_INPUT_BYTES = 1024 };

/* file NULL: the terminal or standard input. Its one line, without the newline; the caller wipes `out`. */
MUST_USE bool password_input(const char *file, char out[PASSWORD_INPUT_BYTES], char *why, size_t why_size);

#endif
