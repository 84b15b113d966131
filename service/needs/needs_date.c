/* SPDX-License-Identifier: Apache-2.0
 * Dates of cells.
 * Invariant: what is written is a day that the Gregorian calendar has, in ten characters. */
#include "service/needs/needs_date.h"
#include <math.h>
#include <stdio.h>

enum { LAST_SERIAL = 2958465, DAYS_1899_12_30 = -25569, DAYS_1904_01_01 = -24107 };

static bool is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int month_days(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

static void date_write(int year, int month, int day, char out[NEEDS_DATE_BYTES])
{
	char wide[40]; /* what the compiler thinks three ints may need */
	snprintf(wide, sizeof wide, "%04d-%02d-%02d", year, month, day);
	memcpy(out, wide, NEEDS_DATE_BYTES - 1);
	out[NEEDS_DATE_BYTES - 1] = '\0';
}

/* The digits at the front, at least and at most so many; -1 when they are not there. */
static int take_number(struct slice *text, size_t least, size_t most)
{
	size_t len = 0;
	int value = 0;
	while (len < text->len && len < most && text->at[len] >= '0' && text->at[len] <= '9')
		value = value * 10 + (text->at[len++] - '0');
	text->at += len;
	text->len -= len;
	return len >= least ? value : -1;
}

static bool take_mark(struct slice *text, char mark)
{
	if (text->len == 0 || text->at[0] != mark)
		return false;
	text->at++;
	text->len--;
	return true;
}

bool needs_date_parse(struct slice text, char out[NEEDS_DATE_BYTES])
{
	int year = take_number(&text, 4, 4);
	char mark = text.len > 0 && text.at[0] == '/' ? '/' : '-';
	if (year < 1 || !take_mark(&text, mark))
		return false;
	int month = take_number(&text, 1, 2);
	if (month < 1 || month > 12 || !take_mark(&text, mark))
		return false;
	int day = take_number(&text, 1, 2);
	if (day < 1 || day > month_days(year, month) || text.len > 0)
		return false;
	date_write(year, month, day, out);
	return true;
}

/* Days since 1970-01-01 to a date: eras of 400 years that begin on 1 March (H. Hinnant, days_from_civil). */
static void date_of_days(int days, char out[NEEDS_DATE_BYTES])
{
	int shifted = days + 719468;
	int era = shifted / 146097;
	int of_era = shifted % 146097;
	int year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int from_march = (5 * of_year + 2) / 153;
	int day = of_year - (153 * from_march + 2) / 5 + 1;
	int month = from_march < 10 ? from_march + 3 : from_march - 9;
	date_write(year_of_era + era * 400 + (month <= 2), month, day, out);
}

bool needs_date_of_serial(double serial, bool date1904, char out[NEEDS_DATE_BYTES])
{
	if (!(serial >= (date1904 ? 0 : 1)) || serial >= LAST_SERIAL + 1)
		return false;
	int day = (int)floor(serial);
	if (date1904 && day > LAST_SERIAL - 1462)
		return false;
	if (!date1904 && day == 60)
		return false;
	if (date1904)
		date_of_days(DAYS_1904_01_01 + day, out);
	else
		date_of_days(DAYS_1899_12_30 + day + (day < 60), out);
	return true;
}
