/* SPDX-License-Identifier: Apache-2.0
 * Items of assistive devices, and what may be refused about any of them. */
#include "api/tables.h"

const struct verdict device_item_verdicts[] = {
	{ "device_on_its_way", 409, "The item is on its way to another centre.", NULL },
	{ "device_not_on_its_way", 409, "The item is not on its way anywhere.", NULL },
	{ "device_recalled", 409, "The item is recalled: it is handed to nobody.", NULL },
	{ "device_out", 409, "Somebody has the item.", NULL },
	{ "device_retired", 409, "The item is lost or was recycled.", NULL },
	{ "device_not_ready", 409, "The item has not been disinfected and inspected since it came back.",
	  NULL },
	{ "device_reserved", 409, "The item is reserved for another request.", NULL },
	{ "device_state", 409, "The item is not in a state for that.", NULL },
	{ "device_unproved", 409, "What should lie behind this is missing, or is of another item or moment.",
	  NULL },
	{ NULL, 0, NULL, NULL },
};

const struct endpoint device_item_endpoints[] = {
	{ 0 },
};
