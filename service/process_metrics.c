/* SPDX-License-Identifier: Apache-2.0
 * See process_metrics.h. */
#include "service/process_metrics.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static bool read_small(const char *path, char *out, size_t room)
{
	FILE *file = fopen(path, "re");
	size_t len = file ? fread(out, 1, room - 1, file) : 0;
	out[len] = '\0';
	if (file)
		fclose(file);
	return len > 0;
}

/* The number after `key`, anywhere in the text; -1 when there is none. */
static double number_after(const char *text, const char *key)
{
	const char *at = strstr(text, key);
	char *end;
	if (!at)
		return -1;
	double number = strtod(at + strlen(key), &end);
	return end > at + strlen(key) ? number : -1;
}

/* Field 22 of /proc/self/stat, in ticks since boot; the name before it may hold anything but ends at the last
 * ')'.
 * (/proc/stat, which has the time of the boot, is hidden from a service with ProcSubset=pid.) */
static double started_at(void)
{
	char stat[1024];
	struct timespec now, boot;
	const char *at = read_small("/proc/self/stat", stat, sizeof stat) ? strrchr(stat, ')') : NULL;
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	if (!at || clock_gettime(CLOCK_REALTIME, &now) != 0 || clock_gettime(CLOCK_BOOTTIME, &boot) != 0)
		return -1;
	return (double)(now.tv_sec - boot.tv_sec) + (double)(now.tv_nsec - boot.tv_nsec) / 1e9 +
	       strtod(at, NULL) / (double)sysconf(_SC_CLK_TCK);
}

/* Once: counted anew it would tremble, and look like a restart. */
static void tell_start(struct metrics *metrics)
{
	struct metric *gauge = metric_gauge(metrics, "process_start_time_seconds",
					    "When it started, seconds since 1970", "");
	if (metric_value(gauge) <= 0)
		metric_set(gauge, started_at());
}

static double open_files(void)
{
	DIR *folder = opendir("/proc/self/fd");
	double count = -3; /* ".", ".." and the folder itself */
	if (!folder)
		return -1;
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

static void tell(struct metrics *metrics, const char *name, const char *help, double value)
{
	struct metric *gauge = metric_gauge(metrics, name, help, "");
	if (value >= 0)
		metric_set(gauge, value);
}

static void refresh(struct metrics *metrics)
{
	char status[4096] = "";
	struct rusage usage;
	struct rlimit files;
	if (getrusage(RUSAGE_SELF, &usage) == 0)
		metric_set(metric_counter(metrics, "process_cpu_seconds_total",
					  "Processor time, user and system", ""),
			   (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
				   (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
	read_small("/proc/self/status", status, sizeof status);
	double resident = number_after(status, "VmRSS:"), reserved = number_after(status, "VmSize:");
	tell(metrics, "process_resident_memory_bytes", "Memory in use", resident * 1024);
	tell(metrics, "process_virtual_memory_bytes", "Address space", reserved * 1024);
	tell(metrics, "process_threads", "Threads", number_after(status, "Threads:"));
	tell(metrics, "process_open_fds", "Open files and sockets", open_files());
	if (getrlimit(RLIMIT_NOFILE, &files) == 0)
		tell(metrics, "process_max_fds", "Open files and sockets allowed", (double)files.rlim_cur);
	tell_start(metrics);
	metric_set(metric_gauge(metrics, "tantu_build_info", "1; the version is in the label",
				"version=\"" TANTU_VERSION "\""),
		   1);
}

void process_metrics_write(struct metrics *metrics, bool database_up, struct buffer *out)
{
	refresh(metrics);
	metric_set(metric_gauge(metrics, "tantu_database_up", "1: the database answers", ""), database_up);
	metrics_write(metrics, out);
}
