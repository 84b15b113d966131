/* SPDX-License-Identifier: Apache-2.0
 * Fittings and trials: the person keeps the device, or tries it. */
#include "api/tables.h"

const struct verdict fitting_verdicts[] = {
	{ "request_unknown", 422, "There is no such request.", "/request" },
	{ "request_of_another", 409, "The request is another person's.", "/request" },
	{ "request_elsewhere", 409, "Another centre deals with the request.", "/request" },
	{ "request_not_assessed", 409, "The request has not passed an assessment, or was dealt with already.",
	  "/request" },
	{ "device_kind_differs", 409, "The item is of another kind than the request asks for.", "/item" },
	{ "assessed_otherwise", 409, "The assessment says otherwise: a fitting or a rental.", "/request" },
	{ "due_before_begin", 422, "The due time is not after the beginning.", "/due_at" },
	{ "handover_over", 409, "It has ended.", NULL },
	{ NULL, 0, NULL, NULL },
};

const struct endpoint fitting_endpoints[] = {
	{ 0 },
};
