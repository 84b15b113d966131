/* SPDX-License-Identifier: Apache-2.0
 * Roles by name, and whom an endpoint admits. */
#include "api/permission.h"
#include "unit.h"

static void test_a_role_has_a_bit_of_its_own(void **state)
{
	(void)state;
	unsigned all = 0;
	for (int i = 0; role_names[i]; i++) {
		unsigned bit = role_bit(slice_of(role_names[i]));
		assert_int_equal(bit & all, 0);
		assert_true(bit != 0);
		all |= bit;
	}
	assert_int_equal(all, SIGNED_IN);
	assert_int_equal(role_bit(SLICE("manager")), ROLE_MANAGER);
}

static void test_what_is_no_role_has_none(void **state)
{
	(void)state;
	assert_int_equal(role_bit(SLICE("")), 0);
	assert_int_equal(role_bit(SLICE("system")), 0); /* the workers' own, never somebody's who signs in */
	assert_int_equal(role_bit(SLICE("Manager")), 0);
	assert_int_equal(role_bit(SLICE("manager ")), 0);
	assert_int_equal(role_bit(SLICE("manage")), 0);
}

static void test_whom_an_endpoint_admits(void **state)
{
	(void)state;
	assert_false(permission_asks(ANYBODY));
	assert_true(permission_admits(ANYBODY, 0));
	assert_true(permission_admits(ANYBODY, ROLE_CENTRE));
	assert_true(permission_asks(RUNS_PLANS));
	assert_true(permission_admits(RUNS_PLANS, ROLE_ADMIN));
	assert_false(permission_admits(RUNS_PLANS, ROLE_COUNTY));
	assert_false(permission_admits(SIGNED_IN, 0));
	for (int i = 0; role_names[i]; i++)
		assert_true(permission_admits(SIGNED_IN, 1u << i));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_role_has_a_bit_of_its_own),
		cmocka_unit_test(test_what_is_no_role_has_none),
		cmocka_unit_test(test_whom_an_endpoint_admits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
