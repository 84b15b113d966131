/* SPDX-License-Identifier: Apache-2.0
 * The checks, each a pure function of the facts. A finding says what it means and, when something is wrong,
 * what to do. */
#include "commands/doctor.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define GIB (INT64_C(1) << 30)

const char *const doctor_levels[] = { "ok", "warn", "fail" };

static void say(struct doctor_finding *f, enum doctor_level level, const char *todo, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
static void say(struct doctor_finding *f, enum doctor_level level, const char *todo, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(f->says, sizeof f->says, format, args);
	va_end(args);
	f->level = level;
	f->todo = level == DOCTOR_OK ? NULL : todo;
}

/* --- this machine --- */

static void judge_key(const struct doctor_facts *facts, struct doctor_finding *f)
{
	if (facts->key_missing && facts->answered && facts->sample == SAMPLE_NONE)
		say(f, DOCTOR_WARN, "The first start of the server makes it; then keep a copy elsewhere.",
		    "there is no key yet, and nothing stored that needs one");
	else if (facts->key_trouble[0])
		say(f, DOCTOR_FAIL,
		    "Put the key back from its copy (mode 0600, owned by the server's user). Without it "
		    "identity "
		    "numbers cannot be read; a new key does not open them.",
		    "%s", facts->key_trouble);
	else if (facts->sample == SAMPLE_FOREIGN)
		say(f, DOCTOR_FAIL, "This is the key of another installation: put the right one back.",
		    "the key does not open what the database holds");
	else
		say(f, DOCTOR_OK, NULL, "%s",
		    facts->sample == SAMPLE_OPENS ? "the key is private and opens what the database holds"
						  : "the key is private; nothing is stored yet to try it on");
}

static void judge_uploads(const struct doctor_facts *facts, struct doctor_finding *f)
{
	double free_gib = (double)facts->uploads_free / (double)GIB;
	double part = facts->uploads_size > 0 ? (double)facts->uploads_free / (double)facts->uploads_size : 1;
	const char *todo = "Make room on that volume; imports are refused when it is full.";
	if (facts->uploads_missing)
		say(f, DOCTOR_WARN, "The server makes the folder at its start.", "%s",
		    facts->uploads_trouble);
	else if (facts->uploads_trouble[0])
		say(f, DOCTOR_FAIL, "Let the server's user write there; without it no file can be imported.",
		    "%s", facts->uploads_trouble);
	else if (facts->uploads_free < GIB / 8)
		say(f, DOCTOR_FAIL, todo, "only %.2f GiB are free for uploads", free_gib);
	else if (facts->uploads_free < GIB || part < 0.05)
		say(f, DOCTOR_WARN, todo, "%.1f GiB (%.0f %%) are free for uploads", free_gib, part * 100);
	else
		say(f, DOCTOR_OK, NULL, "uploads can be written; %.1f GiB (%.0f %%) are free", free_gib,
		    part * 100);
}

static void judge_descriptors(const struct doctor_facts *facts, struct doctor_finding *f)
{
	const char *todo = "Raise the limit (LimitNOFILE= in the unit, ulimit -Hn).";
	if (facts->descriptors_most < 4096)
		say(f, DOCTOR_WARN, todo, "at most %" PRId64 " files and connections may be open",
		    facts->descriptors_most);
	else if (facts->descriptors_open > facts->descriptors_most / 10 * 9)
		say(f, DOCTOR_FAIL, todo, "%" PRId64 " of %" PRId64 " descriptors are open",
		    facts->descriptors_open, facts->descriptors_most);
	else if (facts->descriptors_open >= 0)
		say(f, DOCTOR_OK, NULL, "%" PRId64 " of %" PRId64 " descriptors are open",
		    facts->descriptors_open, facts->descriptors_most);
	else
		say(f, DOCTOR_OK, NULL, "%" PRId64 " descriptors are allowed here", facts->descriptors_most);
}

/* --- the database --- */

static void judge_database(const struct doctor_facts *facts, struct doctor_finding *f)
{
	if (!facts->reached)
		say(f, DOCTOR_FAIL,
		    "Is PostgreSQL running, is TANTU_DATABASE right, may the role sign in (pg_hba.conf)?",
		    "%s", facts->database_trouble);
	else if (!facts->answered)
		say(f, DOCTOR_OK, NULL, "PostgreSQL answers");
	else if (facts->standby)
		say(f, DOCTOR_FAIL, "Name all hosts in TANTU_DATABASE with target_session_attrs=read-write.",
		    "the database is a standby: nothing can be written");
	else if (facts->server_version < 150000)
		say(f, DOCTOR_FAIL, "Move to PostgreSQL 15.", "PostgreSQL %" PRId64 " is too old",
		    facts->server_version / 10000);
	else if (facts->server_version >= 160000)
		say(f, DOCTOR_WARN,
		    "Stay with PostgreSQL 15, or run the tests of Tantu on this version first.",
		    "PostgreSQL %" PRId64 " is newer than what this version was tried on",
		    facts->server_version / 10000);
	else
		say(f, DOCTOR_OK, NULL, "PostgreSQL %" PRId64 ".%" PRId64 " answers in %.1f ms; %.1f GiB",
		    facts->server_version / 10000, facts->server_version % 10000,
		    (double)facts->waited_us / 1000, (double)facts->database_bytes / (double)GIB);
}

static void judge_schema(const struct doctor_facts *facts, struct doctor_finding *f)
{
	if (facts->schema_trouble[0])
		say(f, DOCTOR_FAIL, "Run `tantu migrate` as the owner, or use the program that fits.", "%s",
		    facts->schema_trouble);
	else
		say(f, DOCTOR_OK, NULL, "the schema fits this program");
}

static void judge_statements(const struct doctor_facts *facts, struct doctor_finding *f)
{
	if (facts->statement_trouble[0])
		say(f, DOCTOR_FAIL, "Schema or rights were changed by hand: run `tantu migrate`, or restore.",
		    "%s", facts->statement_trouble);
	else if (facts->statements)
		say(f, DOCTOR_OK, NULL, "all %d statements can be planned, with the rights they need",
		    facts->statements);
	else
		say(f, DOCTOR_OK, NULL, "the statements were prepared at start");
}

static void judge_role(const struct doctor_facts *facts, struct doctor_finding *f)
{
	const char *todo = "Let TANTU_DATABASE name tantu_app (scripts/roles.sql makes it), and revoke what "
			   "migrations did not grant.";
	if (facts->too_strong)
		say(f, DOCTOR_FAIL, todo,
		    "the server's role is too strong: it could change the schema or see past row-level "
		    "security");
	else if (facts->may_write_events)
		say(f, DOCTOR_FAIL, todo, "the server's role may write events or totals past the rules");
	else if (facts->unguarded)
		say(f, DOCTOR_FAIL,
		    "ALTER TABLE … ENABLE ROW LEVEL SECURITY, as the owner; find out who took it off.",
		    "row-level security is off on a table with people's data");
	else
		say(f, DOCTOR_OK, NULL, "the role can do what it must and no more; row-level security is on");
}

static void judge_clock(const struct doctor_facts *facts, struct doctor_finding *f)
{
	int64_t off = facts->server_now_us - facts->asked_at_us - facts->waited_us / 2;
	double seconds = (double)off / 1e6, unsure = (double)facts->waited_us / 2e6;
	const char *todo =
		"Let both machines keep time (systemd-timesyncd, chrony): sessions and dates depend on it.";
	double beyond = (seconds < 0 ? -seconds : seconds) - unsure;
	if (beyond > 30)
		say(f, DOCTOR_FAIL, todo, "the database's clock is %+.0f s from this machine's", seconds);
	else if (beyond > 2)
		say(f, DOCTOR_WARN, todo, "the database's clock is %+.1f s from this machine's", seconds);
	else
		say(f, DOCTOR_OK, NULL, "the database's clock is this machine's (%+.3f s)", seconds);
}

static void judge_durability(const struct doctor_facts *facts, struct doctor_finding *f)
{
	if (!facts->durable)
		say(f, DOCTOR_FAIL, "Set fsync, full_page_writes and synchronous_commit to on.",
		    "a power cut would lose what was acknowledged");
	else if (!facts->checksums)
		say(f, DOCTOR_WARN, "pg_checksums --enable while PostgreSQL is stopped.",
		    "data checksums are off: a failing disk would go unnoticed");
	else
		say(f, DOCTOR_OK, NULL, "what is acknowledged is on disk, with checksums");
}

static void judge_connections(const struct doctor_facts *facts, struct doctor_finding *f)
{
	bool few = facts->connections > facts->connections_most / 10 * 9;
	say(f, few ? DOCTOR_WARN : DOCTOR_OK,
	    "Raise max_connections, or find who holds them (pg_stat_activity).",
	    "%" PRId64 " of %" PRId64 " connections are in use", facts->connections, facts->connections_most);
}

static void judge_transactions(const struct doctor_facts *facts, struct doctor_finding *f)
{
	if (facts->transaction_age > 1000000000)
		say(f, DOCTOR_FAIL, "VACUUM FREEZE the database soon; find out why autovacuum does not.",
		    "transaction numbers: %" PRId64 " of 2,147 million are used up", facts->transaction_age);
	else if (facts->transaction_age > 500000000)
		say(f, DOCTOR_WARN, "See that autovacuum runs.",
		    "the oldest transaction number is %" PRId64 " behind", facts->transaction_age);
	else if (facts->idle_seconds > 60)
		say(f, DOCTOR_WARN, "End that session (pg_stat_activity, pg_terminate_backend).",
		    "a session of the server's role idles inside a transaction for %" PRId64 " s",
		    facts->idle_seconds);
	else
		say(f, DOCTOR_OK, NULL, "vacuum keeps up (age %" PRId64 ")", facts->transaction_age);
}

static void judge_wal(const struct doctor_facts *facts, struct doctor_finding *f)
{
	double kept = (double)facts->wal_kept / (double)GIB;
	if (facts->archive_fails)
		say(f, DOCTOR_FAIL,
		    "See PostgreSQL's log: archive_command fails, and pg_wal grows until the disk is full.",
		    "the archive of the write-ahead log fails");
	else if (facts->wal_kept > 10 * GIB)
		say(f, DOCTOR_WARN,
		    "Bring the replica back, or drop its slot: a full pg_wal stops PostgreSQL.",
		    "a replication slot keeps %.1f GiB of write-ahead log", kept);
	else
		say(f, DOCTOR_OK, NULL, "no replica or archive holds the write-ahead log back");
}

static void judge_jobs(const struct doctor_facts *facts, struct doctor_finding *f)
{
	if (facts->waiting_seconds > 3600 || facts->lost_leases > 0)
		say(f, DOCTOR_FAIL, "Start `tantu work` (or serve without --no-work) and see its log.",
		    "nobody works: the oldest job waits for %" PRId64 " s, %" PRId64
		    " were left by their worker",
		    facts->waiting_seconds, facts->lost_leases);
	else if (facts->waiting_seconds > 300)
		say(f, DOCTOR_WARN, "Start more `tantu work`.", "the oldest job waits for %" PRId64 " s",
		    facts->waiting_seconds);
	else
		say(f, DOCTOR_OK, NULL, "no job waits long");
}

static void judge_dead_jobs(const struct doctor_facts *facts, struct doctor_finding *f)
{
	say(f, facts->dead_jobs ? DOCTOR_WARN : DOCTOR_OK,
	    "GET /api/v1/jobs?state=dead shows their errors; POST /api/v1/jobs/{id}/retry tries one again.",
	    "%" PRId64 " jobs have given up", facts->dead_jobs);
}

/* Readers add what is not folded: figures stay exact, but cost more. */
static void judge_totals(const struct doctor_facts *facts, struct doctor_finding *f)
{
	const char *todo = "Start `tantu work`: figures stay exact without it, but get slow.";
	if (facts->fold_seconds > 3600)
		say(f, DOCTOR_FAIL, todo, "totals were folded %" PRId64 " s ago, %" PRId64 " moves wait",
		    facts->fold_seconds, facts->unfolded);
	else if (facts->fold_seconds > 120 || facts->unfolded > 50000)
		say(f, DOCTOR_WARN, todo, "totals were folded %" PRId64 " s ago, %" PRId64 " moves wait",
		    facts->fold_seconds, facts->unfolded);
	else
		say(f, DOCTOR_OK, NULL, "%" PRId64 " moves wait to be folded into totals", facts->unfolded);
}

/* The State Council publishes the next year's in November. */
static void judge_holidays(const struct doctor_facts *facts, struct doctor_finding *f)
{
	const char *todo = "Enter the days off and the days worked instead, as the State Council published "
			   "them (PUT /api/v1/holidays/{day}), or update the program.";
	if (facts->holiday_days < 0)
		say(f, DOCTOR_WARN, todo,
		    "this year's holidays are not known: time limits count weekends only");
	else if (facts->holiday_days < 21)
		say(f, DOCTOR_WARN, todo, "next year's holidays are not known: it begins in %" PRId64 " days",
		    facts->holiday_days + 1);
	else
		say(f, DOCTOR_OK, NULL, "holidays are known for the next %" PRId64 " days",
		    facts->holiday_days);
}

const struct doctor_check doctor_checks[] = {
	{ "key", judge_key },
	{ "uploads", judge_uploads },
	{ "descriptors", judge_descriptors },
	{ "database", judge_database },
	{ "schema", judge_schema, NEEDS_REACHED },
	{ "statements", judge_statements, NEEDS_SCHEMA },
	{ "role", judge_role, NEEDS_ANSWER },
	{ "clock", judge_clock, NEEDS_ANSWER },
	{ "durability", judge_durability, NEEDS_ANSWER },
	{ "connections", judge_connections, NEEDS_ANSWER },
	{ "transactions", judge_transactions, NEEDS_ANSWER },
	{ "wal", judge_wal, NEEDS_ANSWER },
	{ "jobs", judge_jobs, NEEDS_ANSWER },
	{ "dead_jobs", judge_dead_jobs, NEEDS_ANSWER },
	{ "totals", judge_totals, NEEDS_ANSWER },
	{ "holidays", judge_holidays, NEEDS_ANSWER },
	{ NULL, NULL },
};

bool doctor_can_judge(const struct doctor_check *check, const struct doctor_facts *facts)
{
	switch (check->needs) {
	case NEEDS_REACHED:
		return facts->reached;
	case NEEDS_SCHEMA:
		return facts->reached && !facts->schema_trouble[0];
	case NEEDS_ANSWER:
		return facts->answered;
	default:
		return true;
	}
}
