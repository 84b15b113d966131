/* SPDX-License-Identifier: Apache-2.0
 * Reason phrases of the status codes in use. */
#ifndef SERVICE_HTTP_STATUS_H
#define SERVICE_HTTP_STATUS_H

const char *http_status_phrase(int status);

#endif
