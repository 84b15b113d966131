/* SPDX-License-Identifier: Apache-2.0
 * See notify.h. */
#include "service/notify.h"
#include "service/slice.h"
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* "/run/systemd/notify", or "@name" in the abstract namespace. 0: it is neither. */
static socklen_t address_of(const char *path, struct sockaddr_un *address)
{
	size_t len = strlen(path);
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if ((path[0] != '/' && path[0] != '@') || len < 2 || len >= sizeof address->sun_path)
		return 0;
	memcpy(address->sun_path, path, len);
	if (path[0] == '@')
		address->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (path[0] == '/'));
}

void notify(const char *lines)
{
	struct sockaddr_un address;
	const char *path = getenv("NOTIFY_SOCKET");
	socklen_t len = path ? address_of(path, &address) : 0;
	int fd = len ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1;
	if (fd < 0)
		return;
	(void)!sendto(fd, lines, strlen(lines), MSG_NOSIGNAL, (const struct sockaddr *)&address, len);
	close(fd);
}

uint64_t notify_watchdog_ms(void)
{
	const char *microseconds = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	uint64_t us, who;
	if (!microseconds || !slice_to_u64(slice_of(microseconds), &us) || us < 2000)
		return 0;
	if (pid &&
	    (!slice_to_u64(slice_of(pid), &who) || (who != (uint64_t)getpid() && who != (uint64_t)getppid())))
		return 0;
	return us / 2000;
}

void notify_leave_to_parent(void)
{
	unsetenv("NOTIFY_SOCKET");
}
