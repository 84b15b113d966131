/* SPDX-License-Identifier: Apache-2.0
 * The sessions in memory: what is kept, what goes, and that nothing hides behind what went. */
#include "api/session_cache.h"
#include "unit.h"
#include <stdlib.h>

enum { FAR = 1000000 };

/* The first eight bytes choose the slot; the rest tells tokens apart. */
struct token {
	unsigned char hash[32];
};

static struct token token_of(uint64_t slot, uint64_t number)
{
	struct token t = { { 0 } };
	memcpy(t.hash, &slot, sizeof slot);
	memcpy(t.hash + 24, &number, sizeof number);
	return t;
}

static void put(struct session_cache *cache, struct token t, int64_t account, int64_t expires_at)
{
	struct principal who = { .account = account, .role = 1, .expires_at = expires_at };
	session_cache_put(cache, t.hash, &who, session_cache_epoch(cache));
}

static int64_t find(struct session_cache *cache, struct token t, int64_t now)
{
	const struct principal *who = session_cache_find(cache, t.hash, now);
	return who ? who->account : 0;
}

static void keeps_and_forgets(void **state)
{
	struct session_cache *cache = session_cache_new(10);
	struct token a = token_of(1, 1), b = token_of(2, 1);
	(void)state;
	assert_int_equal(find(cache, a, 0), 0);
	put(cache, a, 7, FAR);
	put(cache, b, 8, FAR);
	assert_int_equal(find(cache, a, 0), 7);
	assert_int_equal(find(cache, b, 0), 8);
	put(cache, a, 9, FAR); /* again: the newer */
	assert_int_equal(find(cache, a, 0), 9);
	session_cache_drop(cache, a.hash);
	assert_int_equal(find(cache, a, 0), 0);
	assert_int_equal(find(cache, b, 0), 8);
	session_cache_drop(cache, a.hash); /* not there: nothing happens */
	session_cache_clear(cache);
	assert_int_equal(find(cache, b, 0), 0);
	session_cache_free(&cache);
	assert_null(cache);
	session_cache_free(&cache);
}

static void keeps_the_whole_principal(void **state)
{
	struct session_cache *cache = session_cache_new(10);
	struct principal who = { .account = 5, .role = 16, .name = "户主", .expires_at = FAR };
	struct token t = token_of(3, 3);
	(void)state;
	who.scope = db_scope_system();
	session_cache_put(cache, t.hash, &who, session_cache_epoch(cache));
	const struct principal *kept = session_cache_find(cache, t.hash, 0);
	assert_non_null(kept);
	assert_int_equal(kept->role, 16);
	assert_string_equal(kept->name, "户主");
	assert_true(db_scope_equal(&kept->scope, &who.scope));
	session_cache_free(&cache);
}

static void expires(void **state)
{
	struct session_cache *cache = session_cache_new(10);
	struct token t = token_of(1, 1);
	(void)state;
	put(cache, t, 7, 100);
	assert_int_equal(find(cache, t, 99), 7);
	assert_int_equal(find(cache, t, 100), 0);
	assert_int_equal(find(cache, t, 99), 0); /* it is gone, not hidden */
	session_cache_free(&cache);
}

/* A lookup that began before a revocation was heard must not bring the session back. */
static void an_old_answer_is_not_kept(void **state)
{
	struct session_cache *cache = session_cache_new(10);
	struct token t = token_of(1, 1), other = token_of(9, 9);
	struct principal who = { .account = 7, .expires_at = FAR };
	(void)state;
	uint64_t epoch = session_cache_epoch(cache);
	session_cache_drop(cache, t.hash); /* its end is heard before the answer comes */
	session_cache_put(cache, t.hash, &who, epoch);
	assert_int_equal(find(cache, t, 0), 0);
	epoch = session_cache_epoch(cache);
	session_cache_drop(cache, other.hash); /* anybody's end: the answer may be older than that */
	session_cache_put(cache, t.hash, &who, epoch);
	assert_int_equal(find(cache, t, 0), 0);
	epoch = session_cache_epoch(cache);
	session_cache_clear(cache); /* notifications may have been missed */
	session_cache_put(cache, t.hash, &who, epoch);
	assert_int_equal(find(cache, t, 0), 0);
	session_cache_put(cache, t.hash, &who, session_cache_epoch(cache));
	assert_int_equal(find(cache, t, 0), 7);
	session_cache_free(&cache);
}

/* Twenty in one probe run: whichever goes, the others are found. */
static void removal_from_a_probe_run(void **state)
{
	enum { RUN = 20 };
	(void)state;
	for (uint64_t gone = 0; gone < RUN; gone++) {
		struct session_cache *cache = session_cache_new(10); /* 64 slots */
		for (uint64_t i = 0; i < RUN; i++)
			put(cache, token_of(60, i), (int64_t)i + 1, FAR); /* goes round the end */
		session_cache_drop(cache, token_of(60, gone).hash);
		for (uint64_t i = 0; i < RUN; i++)
			assert_int_equal(find(cache, token_of(60, i), 0), i == gone ? 0 : (int64_t)i + 1);
		session_cache_free(&cache);
	}
}

/* Expiry removes too, in the middle of a search for others. */
static void expiry_in_a_probe_run(void **state)
{
	struct session_cache *cache = session_cache_new(10);
	(void)state;
	for (uint64_t i = 0; i < 20; i++)
		put(cache, token_of(i % 3, i), (int64_t)i + 1, i % 2 ? 50 : FAR);
	for (uint64_t i = 0; i < 20; i++)
		assert_int_equal(find(cache, token_of(i % 3, i), 60), i % 2 ? 0 : (int64_t)i + 1);
	for (uint64_t i = 0; i < 20; i += 2)
		assert_int_equal(find(cache, token_of(i % 3, i), 60), (int64_t)i + 1);
	session_cache_free(&cache);
}

/* Against a plain list: 64 slots, eight homes next to the table's end, up to 32 entries. */
static void behaves_as_a_plain_list(void **state)
{
	enum { TOKENS = 31, TURNS = 200000 };
	int64_t model[TOKENS] = { 0 };
	struct session_cache *cache = session_cache_new(10);
	(void)state;
	srandom(1);
	for (int turn = 0; turn < TURNS; turn++) {
		uint64_t number = (uint64_t)random() % TOKENS;
		struct token t = token_of((58 + number % 8) & 63, number);
		switch (random() % 4) {
		case 0:
		case 1:
			model[number] = turn + 1;
			put(cache, t, turn + 1, FAR);
			break;
		case 2:
			model[number] = 0;
			session_cache_drop(cache, t.hash);
			break;
		default:
			assert_int_equal(find(cache, t, 0), model[number]);
		}
		if (turn % 1000 == 0)
			for (uint64_t i = 0; i < TOKENS; i++)
				assert_int_equal(find(cache, token_of((58 + i % 8) & 63, i), 0), model[i]);
	}
	session_cache_free(&cache);
}

/* More than it was made for: it starts anew and never fills up. */
static void never_overflows(void **state)
{
	struct session_cache *cache = session_cache_new(100);
	(void)state;
	for (uint64_t i = 0; i < 5000; i++) {
		put(cache, token_of(i * 0x9e3779b97f4a7c15u, i), (int64_t)i + 1, FAR);
		assert_int_equal(find(cache, token_of(i * 0x9e3779b97f4a7c15u, i), 0), (int64_t)i + 1);
	}
	int kept = 0;
	for (uint64_t i = 0; i < 5000; i++)
		kept += find(cache, token_of(i * 0x9e3779b97f4a7c15u, i), 0) != 0;
	assert_in_range(kept, 1, 128);
	session_cache_free(&cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_and_forgets),
		cmocka_unit_test(keeps_the_whole_principal),
		cmocka_unit_test(expires),
		cmocka_unit_test(an_old_answer_is_not_kept),
		cmocka_unit_test(removal_from_a_probe_run),
		cmocka_unit_test(expiry_in_a_probe_run),
		cmocka_unit_test(behaves_as_a_plain_list),
		cmocka_unit_test(never_overflows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
