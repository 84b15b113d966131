/* SPDX-License-Identifier: Apache-2.0
 * See json_memory.h. */
#include "service/json_memory.h"
#include <jansson.h>
#include <stdlib.h>

static _Thread_local bool lacked;

static void *take(size_t size)
{
	void *at = malloc(size);
	lacked = lacked || !at;
	return at;
}

void json_memory_watch(void)
{
	json_set_alloc_funcs(take, free);
}

void json_memory_clear(void)
{
	lacked = false;
}

bool json_memory_lacked(void)
{
	return lacked;
}
