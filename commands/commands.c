/* SPDX-License-Identifier: Apache-2.0
 * The table of commands, in the order of the manual. */
#include "commands/backup.h"
#include "commands/help.h"
#include "commands/manual.h"
#include "service/setting.h"
#include "workers/command.h"
#include <stdio.h>
#include <string.h>

#define PASSWORD_FILE                                                                       \
	{                                                                                   \
		"--password-file", "FILE", "take the password from this file: its one line" \
	}

const struct command commands[] = {
	{ "serve", "serve the API, and run jobs too", .run = run_serve,
	  .settings = "listen processes work metrics_listen",
	  .about = "Serves until it gets SIGTERM or SIGINT; then it takes no new request, answers those "
		   "begun, "
		   "lets its jobs come to a stop, and ends. Run `tantu migrate` first.",
	  .examples = { { "tantu serve", "on 127.0.0.1:8080, or where the settings say" },
			{ "tantu serve --listen 0.0.0.0:8080 --processes 4",
			  "four processes share the port" },
			{ "tantu serve --no-work", "jobs are run by `tantu work` elsewhere" } } },
	{ "work", "run jobs only", .run = run_work, .settings = "metrics_listen",
	  .about = "Any number of them may run, here and on other machines; each job is run by one of them.",
	  .examples = { { "tantu work", "until SIGTERM or SIGINT" },
			{ "tantu work --metrics-listen 127.0.0.1:8081",
			  "and Prometheus can scrape it there" } } },
	{ "migrate", "bring the database to this version, load plans and regions", .run = run_migrate,
	  .about = "As the owner of the schema. Once a version, before `tantu serve`; running it again does "
		   "no harm. "
		   "While there is no account it makes `admin` with the setting admin_password.",
	  .examples = { { "tantu migrate", "once, after installing or upgrading" } } },
	{ "import", "import a needs file into a plan", .run = command_import,
	  .arguments = { { "--plan", "CODE", "the plan the file is for", true },
			 { "--mode", "dry_run|good_rows|all_or_nothing",
			   "dry_run: commit nothing; good_rows (the default): leave out refused rows; "
			   "all_or_nothing" },
			 { "FILE", NULL, "the needs file: CSV (UTF-8, GB18030) or XLSX", true } },
	  .about = "Prints the figures as JSON. Ends with 0 when all rows were taken, 3 when rows were "
		   "refused.",
	  .examples = { { "tantu import --plan tongxin --mode dry_run needs.csv", "what would happen" },
			{ "tantu import --plan tongxin needs.csv", "take the good rows" } } },
	{ "verify totals", "recount every figure from the events", .run = command_verify_totals,
	  .about = "In one snapshot, with the server running or not. Names every difference and ends with 3 "
		   "when there is one.",
	  .examples = { { "tantu verify totals", "" } } },
	{ "verify samples", "draw every sample again from its frozen list", .run = command_verify_samples,
	  .about = "In one snapshot. Names every difference in a list, its digest or its draw, and ends with "
		   "3 "
		   "when there is one.",
	  .examples = { { "tantu verify samples", "" } } },
	{ "verify photos", "compare every photo's file with what the database says of it",
	  .run = run_verify_photos,
	  .about = "Both ways: each known photo has its file, whole and of its fingerprint; each file is "
		   "known, or "
		   "waits for the sweep. With the server running or not. Names every difference and ends "
		   "with 3 "
		   "when there is one.",
	  .examples = { { "tantu verify photos", "as the server's user: it reads the photos folder" } } },
	{ "verify ledger", "check every transaction, balance and figure of money",
	  .run = command_verify_ledger,
	  .about = "In one snapshot, with the server running or not: transactions are in balance, each case "
		   "owes what its stage, design and payments say, and the balances by case, contractor, "
		   "county "
		   "and source agree. Names every difference and ends with 3 when there is one.",
	  .examples = { { "tantu verify ledger", "" } } },
	{ "verify devices", "recount the figures of devices, and the contracts and the money of rentals",
	  .run = command_verify_devices,
	  .about = "With the server running or not, each in one snapshot: each person is counted as his "
		   "needs, "
		   "handovers, home and merges say, the figures are the sums of the people, each item's "
		   "stays are "
		   "what its life says; transactions are in balance, each rental owes and holds what its "
		   "months, "
		   "payments and closing say, the deposits held of each centre are those of its open "
		   "contracts, and "
		   "the figures are the sums of their entries. Names every difference and ends with 3 when "
		   "there is "
		   "one.",
	  .examples = { { "tantu verify devices", "" } } },
	{ "route", "plan the routes of a published problem", .run = run_route, .reads = READS_NONE,
	  .arguments = { { "--solomon", "FILE", "a problem of Solomon's (vehicle routing with time windows)",
			   true },
			 { "--seconds", "SECONDS", "of processor time (2)" },
			 { "--seed", "NUMBER", "another walk (1)" } },
	  .about = "The visit optimiser, without a database. Prints each route, the distance, the vehicles, "
		   "and whether the plan passes a "
		   "check of its own; ends with 3 when it does not or leaves somebody out.",
	  .examples = { { "tantu route --solomon C101.txt --seconds 1.8", "" } } },
	{ "health", "ask the server on this machine whether it is ready", .run = run_health,
	  .settings = "listen",
	  .arguments = { { "--timeout", "SECONDS", "how long to wait for its answer (3)" } },
	  .about = "For containers and scripts: one line, 0 when it is ready and 1 when it is not. Asks "
		   "/readyz at the "
		   "address of the setting listen.",
	  .examples = { { "tantu health", "HEALTHCHECK CMD [\"tantu\", \"health\"]" } } },
	{ "doctor", "look for what is wrong with this installation, and say what to do", .run = run_doctor,
	  .arguments = { { "--json", NULL, "a JSON object a line" } },
	  .about = "Key, uploads, limits, the database's version, schema, statements, rights, clock, "
		   "durability, queues "
		   "and totals. Changes nothing; the server may run or not. Ends with 1 when a check fails. "
		   "A running "
		   "server tells the same as metrics: tantu_doctor_finding.",
	  .examples = { { "tantu doctor", "as the server's user, with the server's settings" } } },
	{ "user create", "make an account", .run = run_user_create,
	  .arguments = { { "NAME", NULL, "who signs in by it: 1 to 64 characters", true },
			 { "--role", "contractor|assessor|centre|county|manager|auditor|admin",
			   "what the account may do", true },
			 { "--region", "CODE",
			   "what the account sees; needed for county, manager and auditor" },
			 { "--contractor", "CODE", "with role contractor; a new code makes the contractor" },
			 { "--centre", "CODE", "with role centre; a new code makes the centre" },
			 PASSWORD_FILE },
	  .about =
		  "The rules of POST /users. The password (8 to 200 characters) is asked for on a terminal, "
		  "or read "
		  "from standard input, or from a file. The server need not run. Prints id and role as JSON.",
	  .examples = { { "tantu user create ma --role manager --region 640324", "asks for the password" },
			{ "tantu user create root2 --role admin --password-file pw", "" } } },
	{ "user reset", "give an account a new password and end its sessions", .run = run_user_reset,
	  .arguments = { { "NAME", NULL, "the account", true },
			 { "--enable", NULL, "and let it sign in again, if it was disabled" },
			 PASSWORD_FILE },
	  .about = "On every server at once. The server need not run.",
	  .examples = { { "tantu user reset admin", "asks for the new password" } } },
	{ "config check", "say all that is wrong with the settings, a line each", .run = run_config_check,
	  .reads = READS_THEM_ITSELF,
	  .about = "Lines that begin with `wrong:` stop a start; lines that begin with `note:` do not. Ends "
		   "with 1 "
		   "when anything is wrong. Nothing is opened or connected to: that is what tantu doctor "
		   "does.",
	  .examples = { { "tantu config check", "what the next start would read" },
			{ "tantu config check --config new.conf", "a file, before it is put in place" } } },
	{ "config show", "print every setting and where it came from", .run = run_config_show,
	  .reads = READS_THEM_ITSELF, .about = "Passwords are masked.",
	  .examples = { { "tantu config show", "" } } },
	{ "config example", "print a configuration file to begin with", .run = run_config_example,
	  .reads = READS_NONE, .about = "Every setting with what it means and its default, as a remark.",
	  .examples = { { "tantu config example >/etc/tantu/tantu.conf", "" } } },
	{ "backup prove", "restore a backup into a scratch PostgreSQL and verify all of it", .run = run_prove,
	  .arguments = { { "BACKUP", NULL, "a backup, or a folder of backups: then the newest", true },
			 { "--scratch", "DIR", "where the scratch PostgreSQL is made (TMPDIR, or /tmp)" } },
	  .about = "Needs PostgreSQL's server programs (Debian: postgresql-15) and room for the database; "
		   "the live database is "
		   "not touched. Checks files, key, figures, totals, every sealed number and every upload, "
		   "prints a line "
		   "each and `proved`, or the first break and ends with 1. The time is noted in the backup "
		   "and, when "
		   "owner_database is set, in the database.",
	  .examples = { { "tantu backup prove /srv/backups", "the newest one" } } },
	{ "backup", "make a backup beside the running server", .run = run_backup,
	  .arguments = { { "DIR", NULL, "the folder of backups; made when it is not there", true },
			 { "--keep", "N",
			   "then delete older ones of this installation, all but the newest N" },
			 { "--without-key", NULL, "leave the master key out; keep a copy of it elsewhere" } },
	  .about = "The database of one instant, the uploads and photos it speaks of, and the master key "
		   "under the "
		   "passphrase "
		   "(backup_passphrase); the whole is sealed with the master key. Needs pg_dump (Debian: "
		   "postgresql-client-15). Ends with 3 when an upload was missing.",
	  .examples = { { "TANTU_BACKUP_PASSPHRASE_FILE=/etc/tantu/passphrase tantu backup /srv/backups "
			  "--keep 14",
			  "each night" } } },
	{ "restore", "fill an empty database from a backup", .run = run_restore,
	  .arguments = { { "BACKUP", NULL, "a backup, or a folder of backups: then the newest", true } },
	  .about = "Checks the whole backup first. Never overwrites: the database must be empty, and a key "
		   "or upload in "
		   "place must be the backup's. The database is filled in one transaction. With "
		   "backup_passphrase "
		   "the key comes out of the backup, else it must be at key_file.",
	  .examples = { { "tantu restore /srv/backups/tantu-20261122T010000Z", "" } } },
	{ "help", "show the commands, or one of them", .run = run_help, .reads = READS_NONE,
	  .arguments = { { "COMMAND", NULL, "the command" }, { "WORD", NULL, "its second word" } },
	  .examples = { { "tantu help serve", "the same as tantu serve --help" } } },
	{ "manual", "print a manual page, the shell's completion, or the list of errors", .run = run_manual,
	  .reads = READS_NONE,
	  .arguments = { { "PAGE", NULL, "tantu.1, tantu.conf.5, errors.md or bash", true } },
	  .about = "Written from the same tables that the program works by.",
	  .examples = { { "tantu manual tantu.conf.5 | man -l -", "read a page" },
			{ "source <(tantu manual bash)", "complete commands and options with Tab" } } },
	{ 0 },
};

static void add(struct command_rules *rules, int *count, struct argument_rule rule)
{
	INVARIANT(*count < COMMAND_RULES_MOST - 1);
	rules->rule[(*count)++] = rule;
}

static void add_setting(struct command_rules *rules, int *count, const struct setting *s)
{
	char *option = rules->option[*count], *placeholder = rules->placeholder[*count];
	bool flag = s->type == SETTING_BOOLEAN;
	setting_option(s, option);
	setting_placeholder(s, placeholder, sizeof rules->placeholder[0]);
	add(rules, count, (struct argument_rule){ option, flag ? NULL : placeholder, s->help });
}

void command_rules(const struct command *command, struct command_rules *rules)
{
	int count = 0;
	const char *at = command->settings ? command->settings : "";
	*rules = (struct command_rules){ 0 };
	for (const struct argument_rule *rule = command->arguments; rule->name; rule++)
		add(rules, &count, *rule);
	while (*at) {
		char name[SETTING_NAME_BYTES];
		size_t len = strcspn(at, " ");
		snprintf(name, sizeof name, "%.*s", (int)len, at);
		const struct setting *s = setting_named(name);
		INVARIANT(s);
		add_setting(rules, &count, s);
		at += len + strspn(at + len, " ");
	}
	if (command->reads != READS_NONE)
		add(rules, &count, (struct argument_rule){ "--config", "FILE", "the configuration file" });
	add(rules, &count, (struct argument_rule){ "--help", NULL, "show this" });
}

int complain(const char *why)
{
	fprintf(stderr, "tantu: %s\n", why);
	return EXIT_FAILED;
}
