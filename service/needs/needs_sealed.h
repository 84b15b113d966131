/* SPDX-License-Identifier: Apache-2.0
 * A sealed upload as the source of a needs reader. */
#ifndef SERVICE_NEEDS_NEEDS_SEALED_H
#define SERVICE_NEEDS_NEEDS_SEALED_H

#include "service/needs/needs_file.h"
#include "service/vault.h"

/* The reader stays the caller's, and lives longer than the source. */
struct needs_source needs_source_of_sealed(struct sealed_reader *reader);

#endif
