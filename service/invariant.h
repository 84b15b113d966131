/* SPDX-License-Identifier: Apache-2.0
 * What must hold whatever a client sends; checked in every build. Client input is refused, never asserted. */
#ifndef SERVICE_INVARIANT_H
#define SERVICE_INVARIANT_H

_Noreturn void invariant_broken(const char *what, const char *file, int line);

#define INVARIANT(what) ((what) ? (void)0 : invariant_broken(#what, __FILE__, __LINE__))
#define MUST_USE __attribute__((warn_unused_result))

#endif
