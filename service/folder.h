/* SPDX-License-Identifier: Apache-2.0
 * Files told by their SHA-256, and whole folders. Blocking; for commands. */
#ifndef SERVICE_FOLDER_H
#define SERVICE_FOLDER_H

#include "service/invariant.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SHA256_TEXT_BYTES = 65 };

/* What a file holds. */
struct file_print {
	uint64_t bytes;
	char sha256[SHA256_TEXT_BYTES]; /* lower-case hexadecimal */
};

/* False with errno. */
MUST_USE bool file_print(const char *path, struct file_print *print);
/* Copies to a new file (0600, on disk); never over another. False with errno, and nothing is left. */
MUST_USE bool file_copy(const char *from, const char *to, struct file_print *print);
/* All of a file as text, terminated, from malloc; NULL with errno (EFBIG over `most` bytes). */
char *file_text(const char *path, size_t most, size_t *len);
/* A new file with these bytes (0600, on disk). */
MUST_USE bool file_write(const char *path, const void *bytes, size_t len);

/* Whether the folder belongs to the installation of this id: a file in it says so. One that nobody has
 * claimed becomes ours. TROUBLE comes with errno. */
#define FOLDER_OWNER_FILE ".installation"
enum folder_claim { FOLDER_OURS, FOLDER_FOREIGN, FOLDER_TROUBLE };
enum folder_claim folder_claim(const char *path, const char *id);

/* Makes it (0700) if it is not there. */
MUST_USE bool folder_make(const char *path);
/* Removes it and all that is in it, following no link. */
MUST_USE bool folder_remove(const char *path);

#endif
