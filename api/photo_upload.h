/* SPDX-License-Identifier: Apache-2.0
 * Sending a photo, in one piece or in many, and asking how much of it has come. */
#ifndef API_PHOTO_UPLOAD_H
#define API_PHOTO_UPLOAD_H

#include "api/endpoint.h"

extern request_step *const photo_upload_steps[], *const photo_sent_steps[];
extern const struct http_sink photo_sink;

#endif
