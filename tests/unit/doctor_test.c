/* SPDX-License-Identifier: Apache-2.0
 * What the doctor makes of the facts: a healthy installation is ok in every check, and each fact alone, moved
 * over its bound, is found by its check and by no other. */
#include "commands/doctor.h"
#include "unit.h"
#include <stdio.h>
#include <string.h>

static const int64_t gib = INT64_C(1) << 30;

static struct doctor_facts healthy(void)
{
	return (struct doctor_facts){
		.uploads_free = 50 * gib,
		.uploads_size = 100 * gib,
		.descriptors_open = 30,
		.descriptors_most = 20000,
		.reached = true,
		.answered = true,
		.statements = 80,
		.asked_at_us = 1000000,
		.waited_us = 1000,
		.server_now_us = 1000500,
		.server_version = 150018,
		.connections = 10,
		.connections_most = 60,
		.transaction_age = 1000,
		.durable = true,
		.checksums = true,
		.fold_seconds = 1,
		.holiday_days = 100,
		.sample = SAMPLE_OPENS,
	};
}

static enum doctor_level level_of(const struct doctor_facts *facts, const char *name, char says[400])
{
	for (const struct doctor_check *check = doctor_checks; check->name; check++) {
		struct doctor_finding finding = { 0 };
		if (strcmp(check->name, name) != 0)
			continue;
		assert_true(doctor_can_judge(check, facts));
		check->judge(facts, &finding);
		assert_true(finding.says[0] && (finding.level == DOCTOR_OK) == (finding.todo == NULL));
		snprintf(says, 400, "%s", finding.says);
		return finding.level;
	}
	fail_msg("no check %s", name);
	return DOCTOR_OK;
}

/* The named check finds it, and every other is content. */
static void found(const struct doctor_facts *facts, const char *name, enum doctor_level level,
		  const char *word)
{
	char says[400];
	for (const struct doctor_check *check = doctor_checks; check->name; check++) {
		bool meant = strcmp(check->name, name) == 0;
		if (!doctor_can_judge(check, facts))
			continue;
		enum doctor_level got = level_of(facts, check->name, says);
		if (got != (meant ? level : DOCTOR_OK) || (meant && !strstr(says, word)))
			fail_msg("%s for %s: %s: %s", check->name, name, doctor_levels[got], says);
	}
}

static void a_healthy_one_is_ok(void **state)
{
	struct doctor_facts facts = healthy();
	(void)state;
	found(&facts, "key", DOCTOR_OK, "opens");
	facts.statements = 0; /* a server, which prepares them itself */
	facts.descriptors_open = -1;
	facts.sample = SAMPLE_NONE;
	found(&facts, "key", DOCTOR_OK, "nothing is stored yet");
}

#define FOUND(check, level, word, ...)                 \
	do {                                           \
		struct doctor_facts facts = healthy(); \
		__VA_ARGS__;                           \
		found(&facts, check, level, word);     \
	} while (0)
#define SAY(where, text) snprintf(facts.where, sizeof facts.where, "%s", text)

static void this_machine(void **state)
{
	(void)state;
	FOUND("key", DOCTOR_FAIL, "may be read", SAY(key_trouble, "key file x: may be read by others"));
	FOUND("key", DOCTOR_FAIL, "does not open", facts.sample = SAMPLE_FOREIGN);
	FOUND("key", DOCTOR_FAIL, "gone", SAY(key_trouble, "gone"); facts.key_missing = true;
	      facts.sample = SAMPLE_UNTRIED);
	FOUND("key", DOCTOR_WARN, "no key yet", SAY(key_trouble, "gone"); facts.key_missing = true;
	      facts.sample = SAMPLE_NONE);
	FOUND("uploads", DOCTOR_FAIL, "denied", SAY(uploads_trouble, "denied"));
	FOUND("uploads", DOCTOR_WARN, "none", SAY(uploads_trouble, "none"); facts.uploads_missing = true);
	FOUND("uploads", DOCTOR_FAIL, "GiB", facts.uploads_free = gib / 8 - 1);
	FOUND("uploads", DOCTOR_WARN, "GiB", facts.uploads_free = gib / 8);
	FOUND("uploads", DOCTOR_WARN, "GiB", facts.uploads_free = gib - 1; facts.uploads_size = gib);
	FOUND("uploads", DOCTOR_OK, "GiB", facts.uploads_free = gib; facts.uploads_size = gib);
	FOUND("uploads", DOCTOR_WARN, "GiB", facts.uploads_free = 40 * gib; facts.uploads_size = 1000 * gib);
	FOUND("descriptors", DOCTOR_WARN, "4095", facts.descriptors_most = 4095);
	FOUND("descriptors", DOCTOR_FAIL, "18001", facts.descriptors_open = 18001);
	FOUND("descriptors", DOCTOR_OK, "18000", facts.descriptors_open = 18000);
}

static void the_database(void **state)
{
	(void)state;
	FOUND("database", DOCTOR_FAIL, "refused", facts.reached = facts.answered = false;
	      SAY(database_trouble, "refused"));
	FOUND("database", DOCTOR_FAIL, "standby", facts.standby = true);
	FOUND("database", DOCTOR_FAIL, "14", facts.server_version = 149999);
	FOUND("database", DOCTOR_WARN, "16", facts.server_version = 160000);
	FOUND("schema", DOCTOR_FAIL, "older", facts.answered = false; SAY(schema_trouble, "older"));
	FOUND("statements", DOCTOR_FAIL, "denied", SAY(statement_trouble, "permission denied"));
	FOUND("role", DOCTOR_FAIL, "too strong", facts.too_strong = true);
	FOUND("role", DOCTOR_FAIL, "past the rules", facts.may_write_events = true);
	FOUND("role", DOCTOR_FAIL, "row-level", facts.unguarded = true);
	FOUND("durability", DOCTOR_FAIL, "power cut", facts.durable = false);
	FOUND("durability", DOCTOR_WARN, "checksums", facts.checksums = false);
	FOUND("connections", DOCTOR_WARN, "55 of 60", facts.connections = 55);
	FOUND("connections", DOCTOR_OK, "54 of 60", facts.connections = 54);
	FOUND("transactions", DOCTOR_FAIL, "1000000001", facts.transaction_age = 1000000001);
	FOUND("transactions", DOCTOR_WARN, "1000000000", facts.transaction_age = 1000000000);
	FOUND("transactions", DOCTOR_WARN, "idles", facts.idle_seconds = 61);
	FOUND("transactions", DOCTOR_OK, "vacuum", facts.transaction_age = 500000000;
	      facts.idle_seconds = 60);
	FOUND("wal", DOCTOR_FAIL, "archive", facts.archive_fails = true);
	FOUND("wal", DOCTOR_WARN, "slot", facts.wal_kept = 10 * gib + 1);
	FOUND("wal", DOCTOR_OK, "no replica", facts.wal_kept = 10 * gib);
}

static void clocks(void **state)
{
	(void)state;
	FOUND("clock", DOCTOR_OK, "+2.0", facts.server_now_us += 2000000);
	FOUND("clock", DOCTOR_WARN, "+2.5", facts.server_now_us += 2500000);
	FOUND("clock", DOCTOR_WARN, "-30.0", facts.server_now_us -= 30000000);
	FOUND("clock", DOCTOR_FAIL, "-31", facts.server_now_us -= 31000000);
	/* Who waits long for the answer cannot tell the clock so well. */
	FOUND("clock", DOCTOR_OK, "+4.0", facts.waited_us = 10000000;
	      facts.server_now_us = 1000000 + 9000000);
}

static void queues(void **state)
{
	(void)state;
	FOUND("jobs", DOCTOR_OK, "no job", facts.waiting_seconds = 300);
	FOUND("jobs", DOCTOR_WARN, "301", facts.waiting_seconds = 301);
	FOUND("jobs", DOCTOR_FAIL, "3601", facts.waiting_seconds = 3601);
	FOUND("jobs", DOCTOR_FAIL, "1 were left", facts.lost_leases = 1);
	FOUND("dead_jobs", DOCTOR_WARN, "2 jobs", facts.dead_jobs = 2);
	FOUND("totals", DOCTOR_OK, "50000 moves", facts.unfolded = 50000; facts.fold_seconds = 120);
	FOUND("totals", DOCTOR_WARN, "121 s", facts.fold_seconds = 121);
	FOUND("totals", DOCTOR_WARN, "50001 moves", facts.unfolded = 50001);
	FOUND("totals", DOCTOR_FAIL, "3601 s", facts.fold_seconds = 3601);
	FOUND("holidays", DOCTOR_OK, "next 21 days", facts.holiday_days = 21);
	FOUND("holidays", DOCTOR_WARN, "in 21 days", facts.holiday_days = 20);
	FOUND("holidays", DOCTOR_WARN, "weekends only", facts.holiday_days = -1);
}

/* A check whose facts are not known says nothing rather than something made up. */
static void what_is_not_known_is_not_judged(void **state)
{
	(void)state;
	int judged = 0;
	struct doctor_facts facts = healthy();
	facts.reached = facts.answered = false;
	for (const struct doctor_check *check = doctor_checks; check->name; check++)
		judged += doctor_can_judge(check, &facts);
	assert_int_equal(judged, 4); /* key, uploads, descriptors, database */
	facts.reached = true;
	SAY(schema_trouble, "none");
	judged = 0;
	for (const struct doctor_check *check = doctor_checks; check->name; check++)
		judged += doctor_can_judge(check, &facts);
	assert_int_equal(judged, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_healthy_one_is_ok),
		cmocka_unit_test(this_machine),
		cmocka_unit_test(the_database),
		cmocka_unit_test(clocks),
		cmocka_unit_test(queues),
		cmocka_unit_test(what_is_not_known_is_not_judged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
