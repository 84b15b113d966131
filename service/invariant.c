/* SPDX-License-Identifier: Apache-2.0
 * The one way to die on purpose. Invariant: it never returns and says where it was called from. */
#include "service/invariant.h"
#include "service/log.h"
#include <stdlib.h>

_Noreturn void invariant_broken(const char *what, const char *file, int line)
{
	log_line(LOG_ERROR, "invariant_broken", LOG_TEXT("what", what), LOG_TEXT("file", file),
		 LOG_NUMBER("line", line));
	abort();
}
