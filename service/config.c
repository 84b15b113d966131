/* SPDX-License-Identifier: Apache-2.0
 * See config.h. */
#include "service/config.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool say(char *why, size_t why_size, const char *format, ...) __attribute__((format(printf, 3, 4)));
static bool say(char *why, size_t why_size, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(why, why_size, format, args);
	va_end(args);
	return false;
}

static bool take_number(const char *name, const char *text, int low, int high, int *out, char *why,
			size_t why_size)
{
	char *end;
	long n = strtol(text, &end, 10);
	if (!*text || *end || n < low || n > high)
		return say(why, why_size, "%s: '%s' is not a number from %d to %d", name, text, low, high);
	*out = (int)n;
	return true;
}

static bool env_number(const char *name, int low, int high, int *out, char *why, size_t why_size)
{
	const char *text = getenv(name);
	return !text || take_number(name, text, low, high, out, why, why_size);
}

static bool env_text(const char *name, char *out, size_t room, const char *otherwise, char *why,
		     size_t why_size)
{
	const char *text = getenv(name);
	if (!text || !*text)
		text = otherwise;
	if (strlen(text) >= room)
		return say(why, why_size, "%s: longer than %zu bytes", name, room - 1);
	snprintf(out, room, "%s", text);
	return true;
}

static bool listen_is_sound(const char *listen)
{
	const char *colon = strrchr(listen, ':');
	char *end;
	if (!colon || colon == listen || !colon[1])
		return false;
	long port = strtol(colon + 1, &end, 10);
	return !*end && port >= 0 && port <= 65535;
}

static bool read_environment(struct config *c, char *why, size_t why_size)
{
	char keys[3200], uploads[3200];
	int hours = 12, grace = 20;
	if (!env_text("TANTU_LISTEN", c->listen, sizeof c->listen, "127.0.0.1:8080", why, why_size) ||
	    !env_text("TANTU_VAR", c->var, sizeof c->var, "var", why, why_size))
		return false;
	snprintf(keys, sizeof keys, "%s/keys/master.key", c->var);
	snprintf(uploads, sizeof uploads, "%s/uploads", c->var);
	if (!env_text("TANTU_KEY_FILE", c->key_file, sizeof c->key_file, keys, why, why_size) ||
	    !env_text("TANTU_UPLOADS", c->uploads, sizeof c->uploads, uploads, why, why_size) ||
	    !env_number("TANTU_PROCESSES", 1, 64, &c->processes, why, why_size) ||
	    !env_number("TANTU_SESSION_HOURS", 1, 720, &hours, why, why_size) ||
	    !env_number("TANTU_GRACE_SECONDS", 1, 600, &grace, why, why_size))
		return false;
	c->session_seconds = hours * 3600;
	c->grace_ms = grace * 1000;
	c->database = getenv("TANTU_DATABASE");
	c->owner_database = getenv("TANTU_OWNER_DATABASE");
	c->admin_password = getenv("TANTU_ADMIN_PASSWORD");
	return true;
}

static bool take_option(struct config *c, const char *name, const char *value, char *why, size_t why_size)
{
	if (strcmp(name, "--listen") == 0) {
		if (strlen(value) >= sizeof c->listen)
			return say(why, why_size, "--listen: too long");
		snprintf(c->listen, sizeof c->listen, "%s", value);
	} else if (strcmp(name, "--processes") == 0) {
		return take_number(name, value, 1, 64, &c->processes, why, why_size);
	} else if (strcmp(name, "--plan") == 0) {
		c->plan = value;
	} else if (strcmp(name, "--mode") == 0) {
		c->mode = value;
	} else {
		return say(why, why_size, "%s: no such option", name);
	}
	return true;
}

bool config_read(struct config *c, int argc, char **argv, char *why, size_t why_size)
{
	*c = (struct config){ .processes = 1, .work = true, .mode = "good_rows" };
	if (!read_environment(c, why, why_size))
		return false;
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--no-work") == 0)
			c->work = false;
		else if (strncmp(argv[i], "--", 2) != 0 && !c->file)
			c->file = argv[i];
		else if (strncmp(argv[i], "--", 2) != 0)
			return say(why, why_size, "%s: what is this?", argv[i]);
		else if (i + 1 == argc)
			return say(why, why_size, "%s: needs a value", argv[i]);
		else if (!take_option(c, argv[i], argv[i + 1], why, why_size))
			return false;
		else
			i++;
	}
	if (!listen_is_sound(c->listen))
		return say(why, why_size,
			   "TANTU_LISTEN: '%s' is not an address with a port, such as 127.0.0.1:8080",
			   c->listen);
	return true;
}
