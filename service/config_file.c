/* SPDX-License-Identifier: Apache-2.0
 * See config_file.h. */
#include "service/config_file.h"
#include "service/slice.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *read_all(int fd, size_t most, size_t *len)
{
	char *text = malloc(most + 2);
	ssize_t n = 1;
	INVARIANT(text);
	for (*len = 0; *len <= most && n > 0; *len += n > 0 ? (size_t)n : 0)
		while ((n = read(fd, text + *len, most + 1 - *len)) < 0 && errno == EINTR)
			;
	text[*len] = '\0';
	if (n >= 0)
		return text;
	free(text);
	return NULL;
}

char *config_file_load(const char *path, size_t most, size_t *len, char *why, size_t why_size)
{
	struct stat is;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = NULL;
	if (fd < 0 || fstat(fd, &is) != 0)
		snprintf(why, why_size, "cannot be read: %s", strerror(errno));
	else if (S_ISDIR(is.st_mode))
		snprintf(why, why_size, "cannot be read: it is a folder");
	else if (!(text = read_all(fd, most, len)))
		snprintf(why, why_size, "cannot be read: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
	if (text && *len > most) {
		snprintf(why, why_size, "longer than %zu bytes", most);
		free(text);
		text = NULL;
	}
	return text;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Without the blanks around it; the end is cut off in place. */
static char *trim(char *at)
{
	while (is_blank(*at))
		at++;
	for (char *end = at + strlen(at); end > at && is_blank(end[-1]);)
		*--end = '\0';
	return at;
}

static bool is_key(const char *key)
{
	return *key && strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") ==
			       strlen(key);
}

/* NULL: fine, and *value is without its quotes. */
static const char *unquote(char **value)
{
	char *text = *value, *end;
	if (*text != '"')
		return strstr(text, " #") || strstr(text, "\t#")
			       ? "a # within a value: put the value in double quotes, or the remark on a "
				 "line of its own"
			       : NULL;
	end = strchr(text + 1, '"');
	if (!end)
		return "the double quote does not end";
	if (end[1])
		return "something follows the closing double quote";
	*end = '\0';
	*value = text + 1;
	return NULL;
}

static void parse_line(char *line, int number, const struct config_file_events *events)
{
	char *equals, *value, *key = trim(line);
	const char *wrong;
	if (*key == '\0' || *key == '#')
		return;
	equals = strchr(key, '=');
	if (!equals) {
		events->on_bad_line(events->context, number, "not \"key = value\"");
		return;
	}
	*equals = '\0';
	key = trim(key);
	value = trim(equals + 1);
	if (!is_key(key)) {
		events->on_bad_line(events->context, number, "not \"key = value\"");
	} else if ((wrong = unquote(&value))) {
		char why[200];
		snprintf(why, sizeof why, "%.40s: %s", key, wrong);
		events->on_bad_line(events->context, number, why);
	} else {
		events->on_pair(events->context, number, key, value);
	}
}

void config_file_parse(char *text, size_t len, const struct config_file_events *events)
{
	int number = 0;
	char *end = text + len;
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	while (text < end) {
		char *stop = memchr(text, '\n', (size_t)(end - text));
		size_t length = (size_t)((stop ? stop : end) - text);
		number++;
		if (memchr(text, '\0', length) || !slice_is_utf8((struct slice){ text, length })) {
			events->on_bad_line(events->context, number, "not UTF-8 text");
		} else {
			text[length] = '\0';
			parse_line(text, number, events);
		}
		text += length + 1;
	}
}
