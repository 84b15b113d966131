/* SPDX-License-Identifier: Apache-2.0
 * Runs a fuzz target over the files of the folders it is given, without libFuzzer: the committed inputs stay
 * tests under any compiler. Fails when there is nothing to run. Names the input first, so that a crash tells.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room);

/* For targets with a mutator of their own; nothing calls it here. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room)
{
	(void)data;
	(void)room;
	return size;
}

static void run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	if (!file || fseek(file, 0, SEEK_END) != 0) {
		fprintf(stderr, "cannot read %s\n", path);
		exit(1);
	}
	size_t size = (size_t)ftell(file);
	uint8_t *data = malloc(size + !size); /* of its size, so that AddressSanitizer sees a look beyond */
	rewind(file);
	if (!data || fread(data, 1, size, file) != size) {
		fprintf(stderr, "cannot read %s\n", path);
		exit(1);
	}
	fclose(file);
	fprintf(stderr, "%s\n", path);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
}

static int run_folder(const char *folder)
{
	char path[4096];
	struct dirent **entries;
	int count = scandir(folder, &entries, NULL, alphasort), ran = 0;
	for (int i = 0; i < count; i++) {
		if (entries[i]->d_name[0] != '.') {
			snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
			run_file(path);
			ran++;
		}
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	return ran;
}

int main(int count, char **folders)
{
	int ran = 0;
	for (int i = 1; i < count; i++)
		ran += run_folder(folders[i]);
	printf("%d inputs\n", ran);
	return ran > 0 ? 0 : 1;
}
