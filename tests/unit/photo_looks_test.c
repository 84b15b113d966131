/* SPDX-License-Identifier: Apache-2.0
 * The same picture treated as phones and messengers treat it stays near itself; other pictures are far; a
 * wall says nothing. Pictures are generated scenes: a shaded room with things in it, drawn at whatever size
 * is asked for.
 */
#include "service/photo_looks.h"

#include <math.h>
#include <string.h>

#include "unit.h"

enum { SCENES = 40, THINGS = 14, WIDE = 192, HIGH = 144, LIMIT = 7 };

struct thing {
	double left, top, right, bottom, grey, grain;
};
struct scene {
	double light_x, light_y, base;
	struct thing things[THINGS];
};
struct picture {
	unsigned wide, high;
	unsigned char grey[640 * 480];
};

static double draw(uint64_t *seed) /* 0 to 1; splitmix64 */
{
	uint64_t z = *seed += 0x9E3779B97F4A7C15U;
	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9U;
	z = (z ^ z >> 27) * 0x94D049BB133111EBU;
	return (double)((z ^ z >> 31) >> 11) / 9007199254740992.0;
}

static struct scene scene_of(uint64_t seed)
{
	struct scene s = { .light_x = draw(&seed) * 80 - 40,
			   .light_y = draw(&seed) * 80 - 40,
			   .base = 90 + draw(&seed) * 60 };
	for (int i = 0; i < THINGS; i++) {
		double x = draw(&seed), y = draw(&seed);
		double w = 0.05 + draw(&seed) * 0.3, h = 0.05 + draw(&seed) * 0.3;
		s.things[i] =
			(struct thing){ x - w, y - h, x + w, y + h, draw(&seed) * 255, draw(&seed) * 40 };
	}
	return s;
}

static double seen(const struct scene *s, double x, double y)
{
	double grey = s->base;
	for (int i = 0; i < THINGS; i++) {
		const struct thing *t = &s->things[i];
		if (x > t->left && x < t->right && y > t->top && y < t->bottom) {
			grey = t->grey + t->grain * sin(40 * (x * t->right + y * t->left));
		}
	}
	return grey + s->light_x * (x - 0.5) + s->light_y * (y - 0.5);
}

static unsigned char clip(double grey)
{
	return (unsigned char)(grey < 0 ? 0 : grey > 255 ? 255 : lround(grey));
}

/* As a camera that stands at `crop` (a part of the width and height cut off on the left and top, half of it
 * right and below). */
static struct picture shot(uint64_t seed, unsigned wide, unsigned high, double crop)
{
	static struct picture p;
	struct scene s = scene_of(seed);
	double kept = 1 - 1.5 * crop;
	p.wide = wide, p.high = high;
	for (unsigned y = 0; y < high; y++) {
		for (unsigned x = 0; x < wide; x++) {
			p.grey[y * wide + x] = clip(
				seen(&s, crop + (x + 0.5) / wide * kept, crop + (y + 0.5) / high * kept));
		}
	}
	return p;
}

/* Mean of the part of the picture that falls on a cell of 32 × 32. */
static void shrink(const struct picture *p, unsigned char out[32 * 32])
{
	for (unsigned v = 0; v < 32; v++) {
		for (unsigned u = 0; u < 32; u++) {
			unsigned long sum = 0, n = 0;
			for (unsigned y = v * p->high / 32; y < (v + 1) * p->high / 32; y++) {
				for (unsigned x = u * p->wide / 32; x < (u + 1) * p->wide / 32; x++, n++) {
					sum += p->grey[y * p->wide + x];
				}
			}
			out[v * 32 + u] = (unsigned char)(n ? (sum + n / 2) / n : 0);
		}
	}
}

static int64_t looks_of(const struct picture *p)
{
	unsigned char small[32 * 32];
	int64_t looks = 0;
	shrink(p, small);
	assert_true(photo_looks(small, &looks));
	return looks;
}

static int distance(int64_t a, int64_t b)
{
	return __builtin_popcountll((unsigned long long)(a ^ b));
}

/* Every scene, changed by `change` (NULL: shot at another size or place), is at most `most` from itself. */
static void stays_near(void (*change)(struct picture *), unsigned wide, unsigned high, double crop, int most)
{
	int worst = 0;
	for (uint64_t seed = 1; seed <= SCENES; seed++) {
		struct picture p = shot(seed, WIDE, HIGH, 0);
		int64_t before = looks_of(&p);
		p = shot(seed, wide, high, crop);
		if (change) {
			change(&p);
		}
		int d = distance(before, looks_of(&p));
		worst = d > worst ? d : worst;
	}
	print_message("worst distance %d\n", worst);
	assert_in_range(worst, 0, most);
}

/* One 8 × 8 block as JPEG codes it at a quality of about 40 (the luminance table of T.81 K.1, a little
 * coarser). */
static const unsigned char step[64] = {
	16, 11,  10,  16, 24, 40, 51, 61, 12,  12,  14,  19,  26, 58, 60, 55,  14,  13,  16,  24, 40, 57,
	69, 56,  14,  17, 22, 29, 51, 87, 80,  62,  18,  22,  37, 56, 68, 109, 103, 77,  24,  35, 55, 64,
	81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98,  112, 100, 103, 99,
};

static double basis(int frequency, int place)
{
	return cos((2 * place + 1) * frequency * 3.14159265358979 / 16) * (frequency ? 0.5 : 0.353553390593);
}

/* out = T in Tᵗ, or Tᵗ in T when back. */
static void turn(double in[8][8], double out[8][8], double with[8][8], bool back)
{
	double half[8][8] = { 0 };
	memset(out, 0, sizeof half);
	for (int i = 0; i < 512; i++) {
		int a = i / 64, b = i / 8 % 8, k = i % 8;
		half[a][b] += in[a][k] * (back ? with[k][b] : with[b][k]);
	}
	for (int i = 0; i < 512; i++) {
		int a = i / 64, b = i / 8 % 8, k = i % 8;
		out[a][b] += (back ? with[k][a] : with[a][k]) * half[k][b];
	}
}

static void code_block(unsigned char *at, unsigned stride, double with[8][8])
{
	double pixels[8][8], coded[8][8];
	for (unsigned i = 0; i < 64; i++) {
		int grey = at[i / 8 * stride + i % 8];
		pixels[i / 8][i % 8] = grey - 128;
	}
	turn(pixels, coded, with, false);
	for (unsigned i = 0; i < 64; i++) {
		coded[i / 8][i % 8] = round(coded[i / 8][i % 8] / (step[i] * 1.25)) * step[i] * 1.25;
	}
	turn(coded, pixels, with, true);
	for (unsigned i = 0; i < 64; i++) {
		at[i / 8 * stride + i % 8] = clip(pixels[i / 8][i % 8] + 128);
	}
}

static void code_again(struct picture *p)
{
	double with[8][8];
	for (int i = 0; i < 64; i++) {
		with[i / 8][i % 8] = basis(i / 8, i % 8);
	}
	for (unsigned y = 0; y < p->high; y += 8) {
		for (unsigned x = 0; x < p->wide; x += 8) {
			code_block(p->grey + y * p->wide + x, p->wide, with);
		}
	}
}

static void test_coded_again(void **state)
{
	(void)state;
	stays_near(code_again, WIDE, HIGH, 0, 2);
}

static void test_resized(void **state)
{
	(void)state;
	stays_near(NULL, 512, 384, 0, 4);
	stays_near(NULL, 128, 96, 0, 6);
	stays_near(code_again, 128, 96, 0, 6); /* as a messenger sends it on */
}

static void brighten(struct picture *p)
{
	for (unsigned i = 0; i < p->wide * p->high; i++) {
		p->grey[i] = clip(p->grey[i] * 1.1 + 8);
	}
}

static void darken(struct picture *p)
{
	for (unsigned i = 0; i < p->wide * p->high; i++) {
		p->grey[i] = clip(255 * pow(p->grey[i] / 255.0, 1.15));
	}
}

static void test_brightened_and_darkened(void **state)
{
	(void)state;
	stays_near(brighten, WIDE, HIGH, 0, LIMIT);
	stays_near(darken, WIDE, HIGH, 0, LIMIT);
}

static void add_grain(struct picture *p)
{
	uint64_t seed = 7;
	for (unsigned i = 0; i < p->wide * p->high; i++) {
		p->grey[i] = clip(p->grey[i] + (draw(&seed) - 0.5) * 30);
	}
}

static void test_grainy(void **state)
{
	(void)state;
	stays_near(add_grain, WIDE, HIGH, 0, 4);
}

static void test_slightly_cropped(void **state)
{
	(void)state;
	stays_near(NULL, WIDE, HIGH, 0.005, LIMIT);
}

static void stamp_date(struct picture *p) /* as cameras write it into a corner */
{
	for (unsigned y = p->high - 10; y < p->high - 4; y++) {
		for (unsigned x = p->wide - 48; x < p->wide - 4; x++) {
			p->grey[y * p->wide + x] = (x / 4 + y / 5) % 2 ? 250 : p->grey[y * p->wide + x];
		}
	}
}

static void test_with_a_date_in_the_corner(void **state)
{
	(void)state;
	stays_near(stamp_date, WIDE, HIGH, 0, LIMIT);
}

static void test_other_pictures_are_far(void **state)
{
	(void)state;
	int64_t looks[SCENES];
	int nearest = 64;
	for (uint64_t seed = 0; seed < SCENES; seed++) {
		struct picture p = shot(seed + 1000, WIDE, HIGH, 0);
		looks[seed] = looks_of(&p);
		for (uint64_t other = 0; other < seed; other++) {
			int d = distance(looks[seed], looks[other]);
			nearest = d < nearest ? d : nearest;
		}
	}
	print_message("nearest of %d pairs: %d\n", SCENES * (SCENES - 1) / 2, nearest);
	assert_true(nearest > LIMIT);
}

static void test_the_negative_is_the_opposite(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SCENES; seed++) {
		struct picture p = shot(seed, WIDE, HIGH, 0);
		int64_t looks = looks_of(&p);
		assert_int_equal(__builtin_popcountll((unsigned long long)looks), 32);
		for (unsigned i = 0; i < p.wide * p.high; i++) {
			p.grey[i] = (unsigned char)(255 - p.grey[i]);
		}
		assert_true(distance(looks, looks_of(&p)) >= 62);
	}
}

static void says_nothing(double (*at)(double x, double y, double random))
{
	unsigned char grey[32 * 32];
	uint64_t seed = 3;
	for (unsigned i = 0; i < sizeof grey; i++) {
		unsigned x = i % 32, y = i / 32;
		grey[i] = clip(at(x / 32.0, y / 32.0, draw(&seed)));
	}
	int64_t looks = 42;
	assert_false(photo_looks(grey, &looks));
	assert_int_equal(looks, 42);
}

static double black(double x, double y, double random)
{
	return 0 * x * y * random;
}

static double wall(double x, double y, double random)
{
	return 200 + 20 * x - 15 * y + random * 2;
}

static double lit_wall(double x, double y, double random)
{
	return 120 + 60 * exp(-((x - 0.3) * (x - 0.3) + (y - 0.4) * (y - 0.4)) * 1.5) + random;
}

static double half_and_half(double x, double y, double random)
{
	return x < 0.5 ? 40 : 210 + 0 * y * random;
}

static double dark_room(double x, double y, double random)
{
	return 2 + random * 3 + (x > 0.4 && y > 0.4 && x < 0.6 && y < 0.6 ? 4 : 0);
}

static void test_what_says_nothing(void **state)
{
	(void)state;
	says_nothing(black);
	says_nothing(wall);
	says_nothing(lit_wall);
	says_nothing(half_and_half);
	says_nothing(dark_room);
}

/* Hashes are kept: a change of the function would make every one in every database useless. */
static void test_it_never_changes(void **state)
{
	(void)state;
	unsigned char grey[32 * 32];
	uint32_t x = 1;
	for (unsigned i = 0; i < sizeof grey; i++) {
		x = x * 1664525U + 1013904223U;
		grey[i] = (unsigned char)((i % 32) * (i / 32) / 8 + (x >> 25));
	}
	int64_t looks = 0;
	assert_true(photo_looks(grey, &looks));
	assert_int_equal((uint64_t)looks, 0xa823bd82d2f0477b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_coded_again),
		cmocka_unit_test(test_resized),
		cmocka_unit_test(test_brightened_and_darkened),
		cmocka_unit_test(test_grainy),
		cmocka_unit_test(test_slightly_cropped),
		cmocka_unit_test(test_with_a_date_in_the_corner),
		cmocka_unit_test(test_other_pictures_are_far),
		cmocka_unit_test(test_the_negative_is_the_opposite),
		cmocka_unit_test(test_what_says_nothing),
		cmocka_unit_test(test_it_never_changes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
