/* SPDX-License-Identifier: Apache-2.0
 * TIFF 6.0 directories as EXIF 2.32 (4.6) uses them: the first one, and the two it points to, each read once.
 * Invariant: every offset is held against the length before it is followed; nothing is followed twice, so
 * loops in the file are none here. */
#include "service/photo_exif.h"
#include <math.h>
#include <stdio.h>

enum { TYPE_ASCII = 2, TYPE_SHORT = 3, TYPE_LONG = 4, TYPE_RATIONAL = 5 };
enum {
	TAG_LATITUDE_REF = 0x0001, /* in the GPS directory */
	TAG_LATITUDE = 0x0002,
	TAG_LONGITUDE_REF = 0x0003,
	TAG_LONGITUDE = 0x0004,
	TAG_ORIENTATION = 0x0112, /* in the first */
	TAG_EXIF = 0x8769,
	TAG_GPS = 0x8825,
	TAG_TAKEN = 0x9003, /* in the one TAG_EXIF points to */
	TAG_DIGITIZED = 0x9004,
	TAG_TAKEN_OFFSET = 0x9011
};
enum { ENTRY = 12, TIME_TEXT = 19, OFFSET_TEXT = 6 };

struct tiff {
	const unsigned char *at;
	size_t len;
	bool big_endian, broken;
};

/* A directory's entry with its values: `at` points to the first, and all of them are within the bytes. */
struct entry {
	unsigned tag, type;
	uint32_t count;
	const unsigned char *at;
};

static unsigned load16(const struct tiff *t, const unsigned char *at)
{
	return t->big_endian ? (unsigned)at[0] << 8 | at[1] : (unsigned)at[1] << 8 | at[0];
}

static uint32_t load32(const struct tiff *t, const unsigned char *at)
{
	return t->big_endian ? (uint32_t)load16(t, at) << 16 | load16(t, at + 2)
			     : (uint32_t)load16(t, at + 2) << 16 | load16(t, at);
}

static bool open_tiff(struct tiff *t, struct slice bytes)
{
	*t = (struct tiff){ .at = (const unsigned char *)bytes.at, .len = bytes.len };
	if (t->len < 8)
		return false;
	t->big_endian = t->at[0] == 'M';
	return (t->at[0] == 'I' || t->at[0] == 'M') && t->at[1] == t->at[0] && load16(t, t->at + 2) == 42;
}

/* Bytes one value takes (TIFF 6.0, section 2); 0 for types that are not asked for here. */
static size_t size_of_type(unsigned type)
{
	switch (type) {
	case TYPE_ASCII:
		return 1;
	case TYPE_SHORT:
		return 2;
	case TYPE_LONG:
		return 4;
	case TYPE_RATIONAL:
		return 8;
	default:
		return 0;
	}
}

/* How many entries the directory at `offset` has; 0 when it is not within the bytes. */
static size_t entries_at(struct tiff *t, size_t offset)
{
	if (offset > t->len || t->len - offset < 2) {
		t->broken = true;
		return 0;
	}
	size_t count = load16(t, t->at + offset);
	if (count > (t->len - offset - 2) / ENTRY) {
		t->broken = true;
		count = (t->len - offset - 2) / ENTRY;
	}
	return count;
}

/* False when its values are of a type that is not asked for, or not within the bytes. */
static bool load_entry(struct tiff *t, const unsigned char *at, struct entry *entry)
{
	*entry = (struct entry){ load16(t, at), load16(t, at + 2), load32(t, at + 4), at + 8 };
	uint64_t size = (uint64_t)entry->count * size_of_type(entry->type);
	if (size <= 4)
		return size > 0;
	uint32_t offset = load32(t, at + 8);
	if (offset > t->len || size > t->len - offset) {
		t->broken = true;
		return false;
	}
	entry->at = t->at + offset;
	return true;
}

static bool is_one(const struct entry *entry, unsigned type)
{
	return entry->type == type && entry->count == 1;
}

/* --- the first directory --- */

struct pointers {
	uint32_t exif, gps; /* 0: none; no directory can stand there */
};

static struct pointers read_first(struct tiff *t, struct photo_header *out)
{
	struct pointers found = { 0, 0 };
	struct entry entry;
	uint32_t offset = load32(t, t->at + 4);
	size_t count = entries_at(t, offset);
	for (size_t i = 0; i < count; i++) {
		if (!load_entry(t, t->at + offset + 2 + i * ENTRY, &entry))
			continue;
		if (entry.tag == TAG_ORIENTATION && is_one(&entry, TYPE_SHORT)) {
			unsigned value = load16(t, entry.at);
			if (value >= 1 && value <= 8)
				out->orientation = value;
		} else if (entry.tag == TAG_EXIF && is_one(&entry, TYPE_LONG)) {
			found.exif = load32(t, entry.at);
		} else if (entry.tag == TAG_GPS && is_one(&entry, TYPE_LONG)) {
			found.gps = load32(t, entry.at);
		}
	}
	return found;
}

/* --- when --- */

/* The number that `digits` characters spell, -1 when they do not. */
static int number_at(const unsigned char *at, int digits)
{
	int n = 0;
	for (int i = 0; i < digits; i++) {
		if (at[i] < '0' || at[i] > '9')
			return -1;
		n = n * 10 + (at[i] - '0');
	}
	return n;
}

static int days_in(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return month == 2 && leap ? 29 : days[month - 1];
}

/* "YYYY:MM:DD HH:MM:SS" (EXIF 2.32, 4.6.5.1.D); blanks or zeros stand for unknown. */
static bool read_time(const struct entry *entry, char out[TIME_TEXT + 1])
{
	const unsigned char *s = entry->at;
	if (entry->type != TYPE_ASCII || entry->count < TIME_TEXT)
		return false;
	int year = number_at(s, 4), month = number_at(s + 5, 2), day = number_at(s + 8, 2);
	int hour = number_at(s + 11, 2), minute = number_at(s + 14, 2), second = number_at(s + 17, 2);
	if (s[4] != ':' || s[7] != ':' || s[10] != ' ' || s[13] != ':' || s[16] != ':')
		return false;
	if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_in(year, month))
		return false;
	if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59)
		return false;
	snprintf(out, TIME_TEXT + 1, "%04d-%02d-%02dT%02d:%02d:%02d", year % 10000, month % 100, day % 100,
		 hour % 100, minute % 100, second % 100);
	return true;
}

/* "+08:00" (4.6.5.1.F) */
static bool read_offset(const struct entry *entry, char out[OFFSET_TEXT + 1])
{
	const unsigned char *s = entry->at;
	if (entry->type != TYPE_ASCII || entry->count < OFFSET_TEXT)
		return false;
	int hours = number_at(s + 1, 2), minutes = number_at(s + 4, 2);
	if ((s[0] != '+' && s[0] != '-') || s[3] != ':' || hours < 0 || hours > 14 || minutes < 0 ||
	    minutes > 59)
		return false;
	memcpy(out, s, OFFSET_TEXT);
	return true;
}

static void read_when(struct tiff *t, uint32_t offset, struct photo_header *out)
{
	char taken[TIME_TEXT + 1] = "", digitized[TIME_TEXT + 1] = "", ahead[OFFSET_TEXT + 1] = "";
	struct entry entry;
	size_t count = entries_at(t, offset);
	for (size_t i = 0; i < count; i++) {
		if (!load_entry(t, t->at + offset + 2 + i * ENTRY, &entry))
			continue;
		if (entry.tag == TAG_TAKEN)
			read_time(&entry, taken);
		else if (entry.tag == TAG_DIGITIZED)
			read_time(&entry, digitized);
		else if (entry.tag == TAG_TAKEN_OFFSET)
			read_offset(&entry, ahead);
	}
	if (taken[0])
		snprintf(out->captured, sizeof(out->captured), "%s%s", taken, ahead);
	else
		snprintf(out->captured, sizeof(out->captured), "%s", digitized);
}

/* --- where --- */

/* Degrees, minutes, seconds as three fractions (4.6.6.1); NAN when they are none, or more than `most`. */
static double read_degrees(const struct tiff *t, const struct entry *entry, double most)
{
	static const double parts[] = { 1, 60, 3600 };
	double sum = 0;
	if (entry->type != TYPE_RATIONAL || entry->count != 3)
		return NAN;
	for (size_t i = 0; i < 3; i++) {
		uint32_t over = load32(t, entry->at + 8 * i), under = load32(t, entry->at + 8 * i + 4);
		if (under == 0)
			return NAN;
		sum += (double)over / (double)under / parts[i];
	}
	return sum <= most ? sum : NAN;
}

/* The sign that a reference letter stands for, 0 for another letter. */
static double read_sign(const struct entry *entry, unsigned char plus, unsigned char minus)
{
	if (entry->type != TYPE_ASCII)
		return 0;
	return entry->at[0] == plus ? 1 : entry->at[0] == minus ? -1 : 0;
}

static void read_where(struct tiff *t, uint32_t offset, struct photo_header *out)
{
	double latitude = NAN, longitude = NAN, north = 0, east = 0;
	struct entry entry;
	size_t count = entries_at(t, offset);
	for (size_t i = 0; i < count; i++) {
		if (!load_entry(t, t->at + offset + 2 + i * ENTRY, &entry))
			continue;
		if (entry.tag == TAG_LATITUDE)
			latitude = read_degrees(t, &entry, 90);
		else if (entry.tag == TAG_LATITUDE_REF)
			north = read_sign(&entry, 'N', 'S');
		else if (entry.tag == TAG_LONGITUDE)
			longitude = read_degrees(t, &entry, 180);
		else if (entry.tag == TAG_LONGITUDE_REF)
			east = read_sign(&entry, 'E', 'W');
	}
	/* Telephones write 0°, 0° when they do not know. */
	bool known = latitude > 0 || longitude > 0;
	if (isnan(latitude) || isnan(longitude) || north == 0 || east == 0 || !known)
		return;
	out->has_place = true;
	out->latitude = latitude * north;
	out->longitude = longitude * east;
}

void photo_exif_read(struct slice tiff, struct photo_header *out)
{
	struct tiff t;
	if (!open_tiff(&t, tiff)) {
		out->exif_broken = true;
		return;
	}
	struct pointers found = read_first(&t, out);
	if (found.exif)
		read_when(&t, found.exif, out);
	if (found.gps)
		read_where(&t, found.gps, out);
	out->exif_broken = t.broken;
}
