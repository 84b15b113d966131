/* SPDX-License-Identifier: Apache-2.0
 * The inside of a vault, for vault.c, sealed_file.c and photo_part.c only: one sub-key a purpose, never the
 * master key. The struct lives in sodium_malloc memory (locked, fenced) and is read-only once it is made. */
#ifndef SERVICE_VAULT_KEYS_H
#define SERVICE_VAULT_KEYS_H

#include "service/vault.h"

enum { VAULT_KEY_BYTES = 32 };

struct vault {
	unsigned char seal[VAULT_KEY_BYTES];
	unsigned char index[VAULT_KEY_BYTES];
	unsigned char fingerprint[VAULT_KEY_BYTES];
	unsigned char file[VAULT_KEY_BYTES];
	unsigned char part[VAULT_KEY_BYTES]; /* of photos on their way */
};

#endif
