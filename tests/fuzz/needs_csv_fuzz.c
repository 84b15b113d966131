/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as a CSV file. The first byte says how many bytes a read gives at most.
 * Invariant checked: what is answered is text without NUL within the limits, rows are numbered without a
 * gap, and the same bytes read in other pieces give the same rows and the same refusal. */
#include "tests/unit/needs_help.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
	enum needs_next end;
	uint32_t rows;
	uint32_t sum; /* of all cells */
	char code[32];
};

static const struct needs_limits limits = { .rows = 500,
					    .cell_bytes = 200,
					    .columns = 30,
					    .xlsx_bytes = 1 << 20,
					    .xlsx_sheet_bytes = 1 << 22,
					    .xlsx_string_bytes = 1 << 20 };

static void row_check(struct outcome *outcome, const struct needs_row *row)
{
	INVARIANT(row->number == outcome->rows + 1 && row->number <= limits.rows);
	outcome->rows = row->number;
	for (int i = 0; i < NEEDS_COLUMNS; i++) {
		struct slice cell = row->cell[i];
		INVARIANT(cell.len <= limits.cell_bytes && slice_is_utf8(cell) &&
			  !memchr(cell.at, '\0', cell.len));
		outcome->sum =
			(uint32_t)crc32(outcome->sum, (const Bytef *)cell.at, (uInt)cell.len) + (uint32_t)i;
	}
}

static struct outcome run(struct slice bytes, size_t step)
{
	struct help_memory memory = help_memory_of(bytes);
	struct needs_source source = help_source(&memory);
	struct outcome outcome = { .end = NEEDS_REFUSED };
	struct needs_problem problem;
	struct needs_row row;
	memory.step = step;
	struct needs_reader *reader = needs_reader_open(&source, &needs_table, &limits, &problem);
	while (reader && (outcome.end = needs_reader_next(reader, &row, &problem)) == NEEDS_ROW)
		row_check(&outcome, &row);
	needs_reader_close(&reader);
	if (outcome.end == NEEDS_REFUSED) {
		INVARIANT(problem.code[0] && problem.detail[0]);
		INVARIANT(slice_is_utf8(slice_of(problem.column)) && slice_is_utf8(slice_of(problem.detail)));
		memcpy(outcome.code, problem.code, sizeof outcome.code);
	}
	return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct slice bytes = { (const char *)data + 1, size - 1 };
	struct outcome whole = run(bytes, 0), pieces = run(bytes, data[0] % 16 + 1);
	INVARIANT(whole.end == pieces.end && whole.rows == pieces.rows && whole.sum == pieces.sum);
	INVARIANT(strcmp(whole.code, pieces.code) == 0);
	return 0;
}
