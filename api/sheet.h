/* SPDX-License-Identifier: Apache-2.0
 * Print-ready pages (A4). A sheet is a template, api/sheets/NAME.html, that is filled from the JSON which
 * the endpoint's statement would answer; `.sheet = "NAME"` in the endpoint's row is all it takes. The build
 * puts the templates into the program; a template that names no column of its statement stops the start.
 *
 *   {{name}}  {{a.b}}       the value as text, always HTML-escaped; null is nothing
 *   {{name|yuan}}           分 as 元: 123456 is 1,234.56
 *   {{name|qr}}             the value as a symbol for scanners, an <svg> (see symbol.h); |code128 likewise
 *   {{#name}}…{{/name}}     once for each element of a list, once for an object, once for what is neither
 *                           null nor false nor "" nor 0; names are looked up in the element first
 *   {{^name}}…{{/name}}     when the section above would not be written
 *   {{.}}                   the element itself
 *   {{>part}}               api/sheets/part.html, put there before anything is read
 *
 * The page is sent with a policy that admits the template's own <style> by its hash, images of this server,
 * and nothing else; so a style cannot be an attribute, and there is no script. */
#ifndef API_SHEET_H
#define API_SHEET_H

#include "db/result.h"
#include "service/buffer.h"
#include <jansson.h>

struct sheet;

/* In the arena, for its life. NULL with one line in `why`: no such template, or one that cannot be read. */
struct sheet *sheet_compile(struct arena *arena, const char *name, char *why, size_t why_size);
/* The same, of a text. Parts are looked for among the embedded ones. */
struct sheet *sheet_compile_text(struct arena *arena, struct slice text, char *why, size_t why_size);
/* Does every name outside of a section stand for a column of `shape`, or for the part of one's name before
 * its dot? With `many` the only name is "items". NULL, or the first that does not. */
const char *sheet_stranger(const struct sheet *sheet, const struct db_shape *shape, bool many);
/* The page. `out->failed` tells whether it did not fit. */
void sheet_write(const struct sheet *sheet, const json_t *data, struct buffer *out);
/* Header lines of the answer. */
const char *sheet_headers(const struct sheet *sheet);

#endif
