/* SPDX-License-Identifier: Apache-2.0
 * Was there memory? Jansson without it answers as for wrong JSON, or leaves something out and says nothing.
 * Clear before reading, ask after it; each thread for itself. */
#ifndef SERVICE_JSON_MEMORY_H
#define SERVICE_JSON_MEMORY_H

#include <stdbool.h>

/* Before anything is read; again does no harm. */
void json_memory_watch(void);
void json_memory_clear(void);
bool json_memory_lacked(void);

#endif
