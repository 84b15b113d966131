/* SPDX-License-Identifier: Apache-2.0
 * The settings as a table. One row makes the key in the configuration file (session_hours), the variable
 * (TANTU_SESSION_HOURS), the option where a command takes it (--session-hours), its help and its manual. */
#ifndef SERVICE_SETTING_H
#define SERVICE_SETTING_H

#include "service/invariant.h"
#include <stdbool.h>
#include <stddef.h>

enum setting_type {
	SETTING_TEXT,
	SETTING_PATH,    /* a file or folder; "$var/" stands for the data folder */
	SETTING_NUMBER,  /* whole, low..high, in `unit` */
	SETTING_ADDRESS, /* 127.0.0.1:8080, [::1]:8080 */
	SETTING_BOOLEAN, /* yes or no; as an option a flag: --work, --no-work */
	SETTING_CHOICE,  /* one of `choices`; kept as its place among them */
	SETTING_SECRET   /* may come from a file: X_FILE, or systemd's credential of its name; never shown */
};

enum { SETTING_TEXT_MOST = 3071 }; /* bytes of a value */

struct setting {
	const char *name; /* as in the file: lower case and _ */
	enum setting_type type;
	size_t at;             /* where in struct config: const char *, int (number, choice) or bool */
	const char *otherwise; /* the default, as it would be written; NULL: not set */
	int low, high, times;  /* a number: its bounds, and what it is multiplied by in struct config */
	const char *unit;
	const char *const *choices;       /* ends with NULL */
	bool (*sound)(const char *value); /* NULL: its type says all; a secret's value is never repeated */
	const char *wants;                /* what `sound` asks for: "8 to 200 characters" */
	const char *needed;               /* who cannot do without: "serve, work" */
	const char *credential; /* a path: systemd's credential that stands for it, when there is one */
	const char *help;       /* one line */
};

/* In the order of the manual; ends with a NULL name. `var` stands before the paths that are made of it. */
extern const struct setting settings[];
enum { SETTINGS_MOST = 64 };

/* NULL: there is no such setting. */
const struct setting *setting_named(const char *name);
/* The setting that was perhaps meant, or NULL. */
const struct setting *setting_like(const char *name);

enum { SETTING_NAME_BYTES = 64 };
/* TANTU_SESSION_HOURS */
void setting_variable(const struct setting *setting, char out[SETTING_NAME_BYTES]);
/* --session-hours; a boolean's is --no-work when its default is yes. */
void setting_option(const struct setting *setting, char out[SETTING_NAME_BYTES]);
/* What a value looks like: "N", "ADDRESS:PORT", "auto|text|json". */
void setting_placeholder(const struct setting *setting, char *out, size_t room);

/* Takes a value into `config` (NULL: only checks). False with what is wrong with it, without its name and,
 * for a secret, without its value. A text is kept by reference. */
struct config;
MUST_USE bool setting_take(const struct setting *setting, const char *value, struct config *config, char *why,
			   size_t why_size);

#endif
