/* SPDX-License-Identifier: Apache-2.0
 * A file survives a power cut only when its bytes and its directory entry are both on disk. Blocking. */
#ifndef SERVICE_DURABLE_H
#define SERVICE_DURABLE_H

#include "service/invariant.h"
#include <stdbool.h>
#include <stddef.h>

/* Writes all of it, over signals and short writes. False with errno set. */
MUST_USE bool durable_write(int fd, const void *bytes, size_t len);
/* fsync of the directory that holds path. False with errno set. */
MUST_USE bool durable_directory(const char *path);

#endif
