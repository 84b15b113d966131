/* SPDX-License-Identifier: Apache-2.0
 * EXIF 2.32 (CIPA DC-008): orientation, time and place out of a TIFF structure in memory. */
#ifndef SERVICE_PHOTO_EXIF_H
#define SERVICE_PHOTO_EXIF_H

#include "service/photo_header.h"

/* tiff: from its byte order mark on. Fills what is sound; sets exif_broken when something is not. */
void photo_exif_read(struct slice tiff, struct photo_header *out);

#endif
