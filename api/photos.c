/* SPDX-License-Identifier: Apache-2.0
 * Photos: sent, kept once, served without what the camera said. */
#include "api/photo_serve.h"
#include "api/photo_upload.h"
#include "api/tables.h"

const struct verdict photo_verdicts[] = {
	{ "photo_not_yours", 403, "Photos of this slot are taken by others.", NULL },
	{ "photo_too_early", 422, "The case is not yet where such a photo can be taken.", NULL },
	{ "photo_too_late", 409, "The case is over: its photos stay as they are.", NULL },
	{ "photo_item_unknown", 422, "The case has no such item.", NULL },
	{ "photo_finding_unknown", 422, "The survey has no such finding, or the photo is none of before.",
	  NULL },
	{ "photos_too_many", 409, "The case has as many photos as it may have.", NULL },
	{ "photo_sent_otherwise", 409, "Under this UUID another photo was sent, or for another place.",
	  NULL },
	{ "photo_of_another", 403, "Somebody else sent this photo.", NULL },
	{ NULL, 0, NULL, NULL },
};

static const char *const slots[] = { "before", "during", "after", "inspection", "signature", NULL };

static const struct field upload_query[] = {
	{ "slot", F_ENUM, .required = true, .of = slots },
	{ "item", F_INT, .min = 1, .max = 100000, .says = "Number of the item it shows." },
	{ "finding", F_INT, .min = 1, .max = 100000,
	  .says = "Number of the survey's finding (slot before)." },
	{ "taken_at", F_TIME, .says = "By the client's clock; the camera's word goes before." },
	{ "note", F_TEXT, .max = 500 },
	{ 0 },
};

static const struct field list_query[] = {
	{ "slot", F_ENUM, .of = slots },
	{ "item", F_INT, .min = 1, .max = 100000 },
	{ 0 },
};

static const struct field remove_query[] = {
	{ "note", F_TEXT, .required = true, .max = 500, .says = "Why." },
	{ 0 },
};

const struct endpoint photo_endpoints[] = {
	{ HTTP_METHOD_PUT, "/api/v1/cases/{id}/photos/{photo}", MOVES_CASES, upload_query,
	  .steps = photo_upload_steps, .sink = &photo_sink, .takes = "image/jpeg image/png image/webp",
	  .way = { { NULL, SQL_photo_add,
		     "path.id step.2 query.slot query.item query.finding query.taken_at query.note step.3 "
		     "step.4 "
		     "step.5 step.6" } },
	  .summary = "Send a photo under a UUID of the client's; with Content-Range in several pieces" },
	{ HTTP_METHOD_GET, "/api/v1/cases/{id}/photos/{photo}", MOVES_CASES, .steps = photo_sent_steps,
	  .way = { { NULL, SQL_photo_sent, "path.id step.2" } },
	  .summary = "How much of the photo with this UUID has come; Upload-Offset says it too" },
	{ HTTP_METHOD_DELETE, "/api/v1/cases/{id}/photos/{photo}", MOVES_CASES, remove_query,
	  .way = { { NULL, SQL_photo_remove, "path.id path.photo query.note" } },
	  .summary = "Take a photo (number or UUID) off the case" },
	{ HTTP_METHOD_GET, "/api/v1/cases/{id}/photos", SEES_CASES, list_query, .page = "id",
	  .way = { { NULL, SQL_photos_list, "path.id query.slot query.item page.after page.limit" } },
	  .summary = "The photos of a case" },
	{ HTTP_METHOD_GET, "/api/v1/photos/{id}", SEES_CASES, .steps = photo_serve_steps,
	  .media = "image/jpeg", .plain = true, .way = { { NULL, SQL_photo_file, "path.id" } },
	  .summary = "A photo, upright, at most 2048 pixels a side, without metadata" },
	{ HTTP_METHOD_GET, "/api/v1/photos/{id}/thumb", SEES_CASES, .steps = photo_serve_steps,
	  .media = "image/jpeg", .plain = true, .way = { { NULL, SQL_photo_file, "path.id" } },
	  .summary = "The same, at most 320 pixels a side" },
	{ 0 },
};
