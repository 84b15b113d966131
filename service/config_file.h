/* SPDX-License-Identifier: Apache-2.0
 * The configuration file: lines "key = value"; lines that begin with # and empty lines say nothing. A value
 * goes to the end of its line, without the blanks around it; in double quotes it may have blanks at its ends
 * or a " #" inside. UTF-8. */
#ifndef SERVICE_CONFIG_FILE_H
#define SERVICE_CONFIG_FILE_H

#include "service/invariant.h"
#include <stdbool.h>
#include <stddef.h>

enum { CONFIG_FILE_BYTES = 65536 };

struct config_file_events {
	/* A line that holds; key and value are parts of the text that was given. */
	void (*on_pair)(void *context, int line, const char *key, const char *value);
	/* A line that does not: what is wrong with it, without its value. */
	void (*on_bad_line)(void *context, int line, const char *why);
	void *context;
};

/* The whole file in memory, terminated, with its length; NULL with a reason ("cannot be read: …", "longer
 * than …"). The caller frees it. Also for secrets that come from files. */
char *config_file_load(const char *path, size_t most, size_t *len, char *why, size_t why_size);
/* Cuts the text into its lines, in place. */
void config_file_parse(char *text, size_t len, const struct config_file_events *events);

#endif
