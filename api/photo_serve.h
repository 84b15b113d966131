/* SPDX-License-Identifier: Apache-2.0
 * Showing a photo: what was made of it, never the file that came. */
#ifndef API_PHOTO_SERVE_H
#define API_PHOTO_SERVE_H

#include "api/endpoint.h"

/* Of the view, or of the thumbnail when the endpoint's path ends so. */
extern request_step *const photo_serve_steps[];

#endif
