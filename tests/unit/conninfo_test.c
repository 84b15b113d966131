/* SPDX-License-Identifier: Apache-2.0
 * Connection strings: which hosts they name, what is refused, and that no secret is in a refusal. */
#include "db/conninfo.h"
#include "unit.h"
#include <stdlib.h>
#include <string.h>

static char why[300];

static struct conninfo parsed(const char *text, enum db_server server)
{
	struct conninfo c;
	why[0] = 0;
	if (!conninfo_parse(&c, text, server, why, sizeof why))
		fail_msg("%s: %s", text, why);
	return c;
}

static void one_host(void **state)
{
	struct conninfo c = parsed("host=/run/postgresql dbname=tantu user=a", DB_PRIMARY);
	(void)state;
	assert_int_equal(c.hosts, 1);
	assert_string_equal(c.host[0].name, "/run/postgresql");
	assert_string_equal(c.host[0].address, "");
	assert_string_equal(c.host[0].port, "5432");
	assert_string_equal(c.attributes, "read-write");
	assert_int_equal(c.patience_ms, 0);
	conninfo_free(&c);
}

static void no_host_is_the_default_socket(void **state)
{
	struct conninfo c = parsed("dbname=tantu", DB_PRIMARY);
	(void)state;
	assert_int_equal(c.hosts, 1);
	assert_string_equal(c.host[0].name, "");
	conninfo_free(&c);
}

static void several_hosts_share_a_port(void **state)
{
	struct conninfo c = parsed("host=a,b,c port=6432 connect_timeout=7", DB_PRIMARY);
	(void)state;
	assert_int_equal(c.hosts, 3);
	assert_string_equal(c.host[1].name, "b");
	assert_string_equal(c.host[2].name, "c");
	assert_string_equal(c.host[2].port, "6432");
	assert_int_equal(c.patience_ms, 7000);
	conninfo_free(&c);
}

static void or_have_one_each(void **state)
{
	struct conninfo c = parsed("host=a,b port=1,2 hostaddr=10.0.0.1,10.0.0.2", DB_PRIMARY);
	(void)state;
	assert_int_equal(c.hosts, 2);
	assert_string_equal(c.host[0].port, "1");
	assert_string_equal(c.host[1].port, "2");
	assert_string_equal(c.host[1].name, "b");
	assert_string_equal(c.host[1].address, "10.0.0.2");
	conninfo_free(&c);
}

static void an_address_is_enough(void **state)
{
	struct conninfo c = parsed("hostaddr=10.0.0.1,10.0.0.2,10.0.0.3", DB_PRIMARY);
	(void)state;
	assert_int_equal(c.hosts, 3);
	assert_string_equal(c.host[2].name, "");
	assert_string_equal(c.host[2].address, "10.0.0.3");
	conninfo_free(&c);
}

static void a_uri_is_the_same(void **state)
{
	struct conninfo c =
		parsed("postgresql://u:secret@a:1,b:2/tantu?target_session_attrs=primary", DB_PRIMARY);
	(void)state;
	assert_int_equal(c.hosts, 2);
	assert_string_equal(c.host[0].name, "a");
	assert_string_equal(c.host[1].port, "2");
	assert_string_equal(c.attributes, "primary");
	conninfo_free(&c);
}

static void what_is_not_said_comes_from_the_environment(void **state)
{
	(void)state;
	setenv("PGHOST", "e1,e2", 1);
	setenv("PGPORT", "7001,7002", 1);
	setenv("PGHOSTADDR", "10.9.9.9", 1);
	struct conninfo c = parsed("hostaddr=10.0.0.1,10.0.0.2", DB_PRIMARY);
	assert_string_equal(c.host[1].name, ""); /* an address of its own */
	assert_string_equal(c.host[1].port, "7002");
	conninfo_free(&c);
	unsetenv("PGHOSTADDR");
	c = parsed("dbname=tantu", DB_PRIMARY);
	assert_int_equal(c.hosts, 2);
	assert_string_equal(c.host[1].name, "e2");
	conninfo_free(&c);
	unsetenv("PGHOST");
	unsetenv("PGPORT");
}

static void a_replica_is_always_a_standby(void **state)
{
	static const char *const said[] = { "host=a", "host=a target_session_attrs=standby",
					    "host=a target_session_attrs=prefer-standby",
					    "host=a target_session_attrs=read-only" };
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct conninfo c = parsed(said[i], DB_REPLICA);
		assert_string_equal(c.attributes, "standby");
		conninfo_free(&c);
	}
}

static void refuses(const char *text, enum db_server server, const char *names)
{
	why[0] = 0;
	assert_false(db_conninfo_check(text, server, why, sizeof why));
	if (!strstr(why, names))
		fail_msg("%s: '%s' does not say %s", text, why, names);
	assert_null(strchr(why, '\n'));
}

static void what_cannot_be_is_refused_by_name(void **state)
{
	char many[200] = "host=a";
	(void)state;
	for (int i = 0; i < 16; i++)
		strcat(many, ",a");
	refuses("host=a,b port=1,2,3", DB_PRIMARY, "port");
	refuses("host=a,b hostaddr=10.0.0.1", DB_PRIMARY, "hostaddr");
	refuses(many, DB_PRIMARY, "at most 16");
	refuses("host=a connect_timeout=soon", DB_PRIMARY, "connect_timeout");
	refuses("hots=a", DB_PRIMARY, "hots");
	refuses("host=a target_session_attrs=standby", DB_PRIMARY, "target_session_attrs");
	refuses("host=a target_session_attrs=prefer-standby", DB_PRIMARY, "target_session_attrs");
	refuses("host=a target_session_attrs=whatever", DB_PRIMARY, "target_session_attrs");
	refuses("host=a target_session_attrs=primary", DB_REPLICA, "target_session_attrs");
	refuses("host=a target_session_attrs=any", DB_REPLICA, "target_session_attrs");
}

static void no_part_of_a_password_is_said(void **state)
{
	(void)state;
	refuses("host=a password=one two-secret", DB_PRIMARY, "quotes");
	assert_null(strstr(why, "secret"));
}

static void a_command_is_told_why_it_cannot_connect(void **state)
{
	(void)state;
	assert_null(db_connect("host=/nowhere dbname=tantu", why, sizeof why));
	assert_non_null(strstr(why, "/nowhere"));
	assert_null(strchr(why, '\n'));
	assert_null(db_connect("host=a target_session_attrs=standby", why, sizeof why));
	assert_non_null(strstr(why, "target_session_attrs"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_host),
		cmocka_unit_test(no_host_is_the_default_socket),
		cmocka_unit_test(several_hosts_share_a_port),
		cmocka_unit_test(or_have_one_each),
		cmocka_unit_test(an_address_is_enough),
		cmocka_unit_test(a_uri_is_the_same),
		cmocka_unit_test(what_is_not_said_comes_from_the_environment),
		cmocka_unit_test(a_replica_is_always_a_standby),
		cmocka_unit_test(what_cannot_be_is_refused_by_name),
		cmocka_unit_test(no_part_of_a_password_is_said),
		cmocka_unit_test(a_command_is_told_why_it_cannot_connect),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
