/* SPDX-License-Identifier: Apache-2.0
 * The table of settings. A new one: a field in struct config, a row here. Nothing else. */
#include "service/config.h"
#include "service/http_address.h"
#include "service/log.h"
#include "service/sealed_key.h"
#include "service/setting.h"
#include "service/slice.h"
#include <libpq-fe.h>
#include <string.h>

#define AT(field) offsetof(struct config, field)

static const char *const log_forms[] = { "auto", "text", "json", NULL };
static const char *const log_levels[] = { "debug", "info", "warn", "error", NULL };

/* Where the string leads, if it says so. */
static bool leads_to(const char *value, const char *const *known)
{
	char *wrong = NULL;
	PQconninfoOption *parts = PQconninfoParse(value, &wrong);
	INVARIANT(parts || wrong); /* neither: no memory */
	PQfreemem(wrong);
	bool sound = parts != NULL;
	for (const PQconninfoOption *p = parts; p && p->keyword; p++) {
		if (strcmp(p->keyword, "target_session_attrs") != 0 || !p->val)
			continue;
		sound = false;
		for (int i = 0; known[i] && !sound; i++)
			sound = strcmp(p->val, known[i]) == 0;
	}
	PQconninfoFree(parts);
	return sound;
}

static bool leads_to_primary(const char *value)
{
	static const char *const known[] = { "read-write", "primary", "any", NULL };
	return leads_to(value, known);
}

static bool leads_to_replica(const char *value)
{
	static const char *const known[] = { "standby", "prefer-standby", "read-only", NULL };
	return leads_to(value, known);
}

static bool is_password(const char *value)
{
	size_t length = slice_utf8_length(slice_of(value));
	return length >= 8 && length <= 200;
}

static bool is_passphrase(const char *value)
{
	return slice_utf8_length(slice_of(value)) >= PASSPHRASE_LEAST;
}

static const char *const forwarded_headers[] = { "x-forwarded-for", "forwarded", NULL };

static bool are_networks(const char *value)
{
	struct http_networks networks;
	struct slice wrong;
	return strcmp(value, "none") == 0 || http_networks_read(value, &networks, &wrong);
}

const struct setting settings[] = {
	{ "database", SETTING_SECRET, AT(database), .sound = leads_to_primary,
	  .wants = "a connection string of PostgreSQL that leads to the primary",
	  .needed = "serve, work and most commands",
	  .help = "Connection string of the role tantu_app, which cannot change the schema nor touch an "
		  "event" },
	{ "owner_database", SETTING_SECRET, AT(owner_database), .sound = leads_to_primary,
	  .wants = "a connection string of PostgreSQL that leads to the primary",
	  .help = "Connection string of the role tantu_owner; only migrate, backup and restore use it" },
	{ "replica_database", SETTING_SECRET, AT(replica_database), .sound = leads_to_replica,
	  .wants = "a connection string of PostgreSQL that leads to replicas",
	  .help = "Connection string of replicas, which answer what a request allows to be late" },
	{ "replica_lag", SETTING_NUMBER, AT(replica_lag_ms), "30", 1, 3600, 1000, "seconds",
	  .help = "What a replica has is never taken if it may be older than this" },
	{ "listen", SETTING_ADDRESS, AT(listen), "127.0.0.1:8080",
	  .help = "Address and port to serve on; port 0: any that is free" },
	{ "metrics_listen", SETTING_ADDRESS, AT(metrics_listen),
	  .help = "Where each process alone tells /metrics, /healthz and /readyz, as `tantu work` does "
		  "nowhere "
		  "else; the second process of `serve` one port higher, and so on" },
	{ "var", SETTING_PATH, AT(var), "var", .help = "Data folder: keys, uploads, photos" },
	{ "key_file", SETTING_PATH, AT(key_file), "$var/keys/master.key", .credential = "key",
	  .help = "The master key that seals identity numbers; made at first start; keep a copy: "
		  "without it they are lost" },
	{ "uploads", SETTING_PATH, AT(uploads), "$var/uploads",
	  .help = "Sealed uploads; another volume than PostgreSQL's, so that a full disk stops only one" },
	{ "photos", SETTING_PATH, AT(photos), "$var/photos",
	  .help = "Sealed photos, shared by all servers of one installation; it may have a volume of its "
		  "own" },
	{ "photo_bytes", SETTING_NUMBER, AT(photo_bytes), "20", 1, 60, 1 << 20, "MiB",
	  .help = "The longest photo that is taken" },
	{ "photos_per_case", SETTING_NUMBER, AT(photos_per_case), "300", 1, 10000, 1, "photos",
	  .help = "How many photos a case may have" },
	{ "photo_decoders", SETTING_NUMBER, AT(photo_decoders), "2", 1, 16, 1, "photos",
	  .help = "How many photos a process decodes at once; each may take 220 MiB" },
	{ "photos_days", SETTING_NUMBER, AT(photos_days), "90", 1, 36500, 1, "days",
	  .help = "How long a photo is kept that was removed wherever it was used" },
	{ "admin_password", SETTING_SECRET, AT(admin_password), .sound = is_password,
	  .wants = "8 to 200 characters",
	  .help = "Password of `admin`, whom `tantu migrate` makes while there is no account" },
	{ "processes", SETTING_NUMBER, AT(processes), "1", 1, 64, 1,
	  .help = "Processes of `tantu serve`; they share one port" },
	{ "work", SETTING_BOOLEAN, AT(work), "yes", .help = "Whether `tantu serve` runs jobs too" },
	{ "jobs_imports", SETTING_NUMBER, AT(jobs_imports), "1", 0, 16, 1, "jobs",
	  .help = "Imports a process runs at once; 0: none here (so the other jobs_ settings)" },
	{ "jobs_totals", SETTING_NUMBER, AT(jobs_totals), "1", 0, 4, 1, "jobs",
	  .help = "Folds of totals at once" },
	{ "jobs_reminders", SETTING_NUMBER, AT(jobs_reminders), "20", 0, 200, 1, "jobs",
	  .help = "Reminders at once" },
	{ "jobs_upkeep", SETTING_NUMBER, AT(jobs_upkeep), "1", 0, 4, 1, "jobs", .help = "Upkeep at once" },
	{ "jobs_probe", SETTING_NUMBER, AT(jobs_probe), "10", 0, 200, 1, "jobs",
	  .help = "Probes at once: jobs without an effect, to try the queue" },
	{ "session_hours", SETTING_NUMBER, AT(session_seconds), "12", 1, 720, 3600, "hours",
	  .help = "How long a session lives" },
	{ "grace_seconds", SETTING_NUMBER, AT(grace_ms), "20", 1, 600, 1000, "seconds",
	  .help = "How long a graceful stop may take" },
	{ "connections", SETTING_NUMBER, AT(connections), "12000", 16, 1000000, 1,
	  .help = "Connections open at once, a process; for one more, an idle or slow one is closed. Bounded "
		  "by "
		  "the limit of open files" },
	{ "connections_per_address", SETTING_NUMBER, AT(connections_per_address), "1000", 1, 1000000, 1,
	  .help = "The same for one IPv4 address or IPv6 /64 that is no trusted proxy" },
	{ "slowest_rate", SETTING_NUMBER, AT(slowest_rate), "500", 1, 1000000, 1, "bytes a second",
	  .help = "Slower than this, over twenty seconds, no body may come and no answer be taken" },
	{ "trusted_proxies", SETTING_TEXT, AT(trusted_proxies), "127.0.0.1 ::1", .sound = are_networks,
	  .wants = "addresses and networks such as 10.0.0.0/8 ::1, or none",
	  .help = "Reverse proxies whose word on the client's address and on TLS is believed" },
	{ "forwarded_header", SETTING_CHOICE, AT(forwarded), "x-forwarded-for", .choices = forwarded_headers,
	  .help = "Where they say it: X-Forwarded-For and -Proto, or Forwarded (RFC 7239); the other is not "
		  "read" },
	{ "hsts_seconds", SETTING_NUMBER, AT(hsts_seconds), "31536000", 0, 126144000, 1, "seconds",
	  .help = "Strict-Transport-Security of answers to clients that spoke TLS; 0: none" },
	{ "token_rate", SETTING_NUMBER, AT(token_rate), "2000", 1, 10000000, 1, "requests a second",
	  .help = "What one token may ask for, a process; more is answered 429" },
	{ "token_burst", SETTING_NUMBER, AT(token_burst), "60000", 1, 100000000, 1, "requests",
	  .help = "What one token may ask for at once, after a rest" },
	{ "sign_in_tries", SETTING_NUMBER, AT(sign_in_tries), "5", 1, 1000000, 1,
	  .help = "Failures to sign in, for one account from one address, before it has to wait: 5 seconds, "
		  "twice as long each time, 15 minutes at most" },
	{ "sign_in_tries_per_address", SETTING_NUMBER, AT(sign_in_tries_per_address), "50", 1, 1000000, 1,
	  .help = "The same for one address within an hour, whatever the account: at most 5 minutes" },
	{ "sign_in_tries_per_account", SETTING_NUMBER, AT(sign_in_tries_per_account), "100", 1, 1000000, 1,
	  .help = "The same for one account within an hour, wherever from: at most 1 minute, and never for "
		  "who "
		  "signed in from there in the last 30 days" },
	{ "doctor_seconds", SETTING_NUMBER, AT(doctor_seconds), "60", 1, 3600, 1, "seconds",
	  .help = "How often a server looks at itself as `tantu doctor` does, for its metrics" },
	{ "log", SETTING_CHOICE, AT(log), "auto", .choices = log_forms,
	  .help = "Form of the log on standard error; auto: text on a terminal, else JSON" },
	{ "log_level", SETTING_CHOICE, AT(log_level), "info", .choices = log_levels,
	  .help = "The least of what is logged" },
	{ "uploads_days", SETTING_NUMBER, AT(uploads_days), "90", 1, 3650, 1, "days",
	  .help = "How long the sealed upload of an import that is over is kept; its refused-rows file can "
		  "be fetched until then" },
	{ "migrate_seconds", SETTING_NUMBER, AT(migrate_seconds), "60", 1, 86400, 1, "seconds",
	  .help = "How long `tantu migrate` tries to get past transactions that hold a table" },
	{ "backup_passphrase", SETTING_SECRET, AT(backup_passphrase), .sound = is_passphrase,
	  .wants = "at least 12 characters",
	  .help = "Seals the master key that goes into a backup, and opens it again; keep it where the "
		  "backups are not" },
	{ "postgresql_bin", SETTING_PATH, AT(postgresql_bin),
	  .help = "Folder of pg_dump, pg_restore, initdb, postgres; not set: where Debian keeps them" },
	{ 0 },
};
