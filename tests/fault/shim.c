/* SPDX-License-Identifier: Apache-2.0
 * For LD_PRELOAD into a release build: the n-th allocation fails, or the n-th call that touches a file below
 * a folder. A test arms it through a small file (FAULT_CONTROL) that both have mapped. glibc only.
 * Invariant: unarmed it changes nothing but a counter. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *at, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

/* tests/fault/shim.py has the same order. `in`: so many calls from now, 0: none; `run`: and so many more. */
struct point {
	_Atomic int64_t in, run, fired, seen;
};
struct control {
	struct point memory, file;
	_Atomic int64_t file_errno;
	char folder[256]; /* files below it are meant */
};

static struct control *control;

__attribute__((constructor)) static void attach(void)
{
	const char *path = getenv("FAULT_CONTROL");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	void *at = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (at != MAP_FAILED)
		control = at;
}

#define REAL(name) ((typeof(&name))(uintptr_t)dlsym(RTLD_NEXT, #name))

static bool fails(struct point *point)
{
	int64_t left = atomic_load(&point->in);
	atomic_fetch_add(&point->seen, 1);
	while (left > 0 && !atomic_compare_exchange_weak(&point->in, &left, left - 1))
		;
	if (left != 1)
		return false;
	atomic_fetch_add(&point->fired, 1);
	if (atomic_fetch_sub(&point->run, 1) > 1)
		atomic_store(&point->in, 1);
	return true;
}

static _Thread_local bool spared;

static bool no_memory(void)
{
	if (!control || spared || !fails(&control->memory))
		return false;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return no_memory() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return no_memory() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *at, size_t size)
{
	return no_memory() ? NULL : __libc_realloc(at, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return no_memory() ? NULL : __libc_memalign(alignment, size);
}

void *memalign(size_t alignment, size_t size)
{
	return no_memory() ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
	void *at = no_memory() ? NULL : __libc_memalign(alignment, size);
	if (!at)
		return ENOMEM;
	*out = at;
	return 0;
}

/* glibc 2.36 itself (nss_database_check_reload_and_get) falls over when memory fails in here; libpq asks it
 * for the name of the user. */
int getpwuid_r(uid_t uid, struct passwd *entry, char *buffer, size_t room, struct passwd **result)
{
	spared = true;
	int status = REAL(getpwuid_r)(uid, entry, buffer, room, result);
	spared = false;
	return status;
}

/* --- files --- */

static bool path_is_meant(const char *path)
{
	return control && control->folder[0] && strncmp(path, control->folder, strlen(control->folder)) == 0;
}

static bool fd_is_meant(int fd)
{
	char link[32], path[4096];
	if (!control || !control->folder[0] || fd < 3)
		return false;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t len = readlink(link, path, sizeof path - 1);
	if (len < 0)
		return false;
	path[len] = '\0';
	return path_is_meant(path);
}

static bool file_fails(void)
{
	if (!fails(&control->file))
		return false;
	errno = (int)atomic_load(&control->file_errno);
	return true;
}

int open(const char *path, int flags, ...)
{
	va_list more;
	va_start(more, flags);
	mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
	va_end(more);
	if (path_is_meant(path) && file_fails())
		return -1;
	return REAL(open)(path, flags, mode);
}

ssize_t write(int fd, const void *bytes, size_t len)
{
	return fd_is_meant(fd) && file_fails() ? -1 : REAL(write)(fd, bytes, len);
}

ssize_t read(int fd, void *into, size_t len)
{
	return fd_is_meant(fd) && file_fails() ? -1 : REAL(read)(fd, into, len);
}

int fsync(int fd)
{
	return fd_is_meant(fd) && file_fails() ? -1 : REAL(fsync)(fd);
}
