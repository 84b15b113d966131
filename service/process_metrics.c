/* SPDX-License-Identifier: Apache-2.0
 * See process_metrics.h. */
#include "service/process_metrics.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
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

/* The kernel's own start, seconds since 1970: a line of /proc/stat behind others of any length. */
static double booted_at(void)
{
	FILE *file = fopen("/proc/stat", "re");
	char *line = NULL;
	size_t room = 0;
	double at = -1;
	while (file && at < 0 && getline(&line, &room, file) > 0)
		if (strncmp(line, "btime ", 6) == 0)
			at = number_after(line, "btime ");
	free(line);
	if (file)
		fclose(file);
	return at;
}

/* Field 22 of /proc/self/stat, in ticks since boot; the name before it may hold anything but ends at the last
 * ')'. */
static double started_at(void)
{
	char stat[1024];
	const char *at = read_small("/proc/self/stat", stat, sizeof stat) ? strrchr(stat, ')') : NULL;
	double boot = booted_at();
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	if (!at || boot < 0)
		return -1;
	return boot + strtod(at, NULL) / (double)sysconf(_SC_CLK_TCK);
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

void process_metrics_refresh(struct metrics *metrics)
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
	tell(metrics, "process_start_time_seconds", "When it started, seconds since 1970", started_at());
	metric_set(metric_gauge(metrics, "tantu_build_info", "1; the version is in the label",
				"version=\"" TANTU_VERSION "\""),
		   1);
}
