/* SPDX-License-Identifier: Apache-2.0
 * Identity numbers at rest. One 32-byte master key lives in a file outside the database (mode 0600);
 * sub-keys come from it by crypto_kdf. Sealed: XChaCha20-Poly1305 with a random nonce in front.
 * Index: keyed BLAKE2b, so that a number can be found without being stored. Threads may share a vault. */
#ifndef SERVICE_VAULT_H
#define SERVICE_VAULT_H

#include "service/invariant.h"
#include "service/slice.h"

struct vault;

enum { VAULT_INDEX_BYTES = 32, VAULT_SEAL_OVERHEAD = 24 + 16 };

/* Opens the key file (64 hexadecimal digits and a newline; refused when group or others may read it), or
 * makes it (atomically, 0600; never over another) when create is set. NULL with a one-line reason. */
struct vault *vault_open(const char *path, bool create, char *why, size_t why_size);
void vault_free(struct vault **vault);

/* out takes plain.len + VAULT_SEAL_OVERHEAD bytes; answers that length. */
size_t vault_seal(const struct vault *vault, struct slice plain, unsigned char *out);
/* out takes sealed.len - VAULT_SEAL_OVERHEAD bytes. False when the text was not sealed with this key. */
MUST_USE bool vault_unseal(const struct vault *vault, struct slice sealed, char *out, size_t *out_len);
/* What to search an identity by: a citizen ID or a certificate. An x in the 18th place is taken as X. */
void vault_index(const struct vault *vault, struct slice identity, unsigned char out[VAULT_INDEX_BYTES]);
/* A keyed fingerprint of any bytes under its own sub-key (request hashes, file hashes). */
void vault_fingerprint(const struct vault *vault, struct slice bytes, unsigned char out[VAULT_INDEX_BYTES]);

/* 18 characters or more: first 6, eight '*', the rest after the 14th but a certificate's digits past the
 * 18th are kept too ("640324********245742"). Shorter than 18: all '*'. out takes identity.len bytes. */
void vault_mask(struct slice identity, char *out);

/* Files at rest (uploads): crypto_secretstream, one frame a chunk. The header carries a magic and version.
 * Writer: create (O_EXCL, 0600) → add … → finish (fsync, close). Any error: abandon deletes the file (finish
 * that answers false has done so). NULL and false come with errno: that of the first failure.
 * The fingerprint is vault_fingerprint of the plain bytes.
 * The vault outlives its readers. All of it blocks: thread pool only. */
struct sealed_writer;
struct sealed_writer *sealed_writer_new(const struct vault *vault, const char *path, char *why,
					size_t why_size);
MUST_USE bool sealed_writer_add(struct sealed_writer *writer, struct slice bytes); /* blocking write */
MUST_USE bool sealed_writer_finish(struct sealed_writer **writer,
				   unsigned char fingerprint[VAULT_INDEX_BYTES], uint64_t *bytes);
void sealed_writer_abandon(struct sealed_writer **writer);

struct sealed_reader;
struct sealed_reader *sealed_reader_open(const struct vault *vault, const char *path, char *why,
					 size_t why_size);
/* Bytes read (room > 0), 0 at the authenticated end, -1 when the file was cut, changed or sealed with another
 * key; after -1 only rewind helps. */
long sealed_reader_read(struct sealed_reader *reader, void *into, size_t room);
/* Why the last read or rewind failed: what the disk said (it may pass), EBADMSG for a file that was cut,
 * changed or sealed with another key, 0 when it did not. */
int sealed_reader_errno(const struct sealed_reader *reader);
MUST_USE bool sealed_reader_rewind(struct sealed_reader *reader);
void sealed_reader_close(struct sealed_reader **reader);
/* What sealed_writer_finish said of it. False with one line: unreadable, cut, changed, another key. */
MUST_USE bool sealed_file_fingerprint(const struct vault *vault, const char *path,
				      unsigned char fingerprint[VAULT_INDEX_BYTES], char *why,
				      size_t why_size);

#endif
