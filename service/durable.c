/* SPDX-License-Identifier: Apache-2.0
 * Whole writes and directory syncs. Nothing here keeps a descriptor open past its call. */
#include "service/durable.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool durable_write(int fd, const void *bytes, size_t len)
{
	const char *at = bytes;
	while (len > 0) {
		ssize_t wrote = write(fd, at, len);
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote == 0)
			errno = EIO; /* so that a failure never looks like none */
		if (wrote <= 0)
			return false;
		at += wrote;
		len -= (size_t)wrote;
	}
	return true;
}

bool durable_directory(const char *path)
{
	char *copy = strdup(path); /* dirname may write into its argument */
	if (!copy)
		return false;
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	if (fd < 0)
		return false;
	bool synced = fsync(fd) == 0;
	close(fd);
	return synced;
}
