/* SPDX-License-Identifier: Apache-2.0
 * The master key on its way: sealed under a passphrase (argon2id, XChaCha20-Poly1305) in a small file of its
 * own. Whoever has the file and not the passphrase has nothing. */
#ifndef SERVICE_SEALED_KEY_H
#define SERVICE_SEALED_KEY_H

#include "service/invariant.h"
#include <stdbool.h>
#include <stddef.h>

enum { PASSPHRASE_LEAST = 12 }; /* characters: who has the file may try for years */

/* Reads the key file as it is and writes it sealed to a new file (0600, on disk). False with one line. */
MUST_USE bool sealed_key_write(const char *key_file, const char *passphrase, const char *path, char *why,
			       size_t why_size);
/* The other way round; `key_file` must not exist. False with one line: a wrong passphrase, a broken file. */
MUST_USE bool sealed_key_open(const char *path, const char *passphrase, const char *key_file, char *why,
			      size_t why_size);

#endif
