/* SPDX-License-Identifier: Apache-2.0
 * See needs_sealed.h. */
#include "service/needs/needs_sealed.h"

static long read_sealed(void *context, void *into, size_t room)
{
	return sealed_reader_read(context, into, room);
}

static bool rewind_sealed(void *context)
{
	return sealed_reader_rewind(context);
}

struct needs_source needs_source_of_sealed(struct sealed_reader *reader)
{
	return (struct needs_source){ reader, read_sealed, rewind_sealed };
}
