/* SPDX-License-Identifier: Apache-2.0
 * What systemd is told (sd_notify(3), whose manual page advises to do without the library): a datagram of
 * "NAME=value" lines to $NOTIFY_SOCKET. Nothing happens where that is not set. */
#ifndef SERVICE_NOTIFY_H
#define SERVICE_NOTIFY_H

#include <stdint.h>

/* "READY=1", "STATUS=…", "STOPPING=1", "WATCHDOG=1"; several with newlines between. Never blocks, never
 * fails: whoever does not hear it judges for himself. */
void notify(const char *lines);
/* How often WATCHDOG=1 has to be said at least, in milliseconds; 0: nobody asks. */
uint64_t notify_watchdog_ms(void);
/* A child process speaks no more: its parent does. */
void notify_leave_to_parent(void);

#endif
