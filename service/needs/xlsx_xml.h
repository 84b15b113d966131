/* SPDX-License-Identifier: Apache-2.0
 * One XML part of an XLSX file, parsed as it is inflated. Names come without their prefix.
 * A document type declaration refuses the file (no entities, so none that explode), and so does a single
 * tag, name or comment over 1 MiB, which the parser would have to hold. */
#ifndef SERVICE_NEEDS_XLSX_XML_H
#define SERVICE_NEEDS_XLSX_XML_H

#include "service/needs/xlsx_zip.h"

struct xlsx_xml;

/* What the reader of a part does with it; any may be NULL. */
struct xlsx_handler {
	void (*start)(void *context, const char *name, const char *const *attributes);
	void (*end)(void *context, const char *name);
	void (*text)(void *context, const char *bytes, size_t len);
};

/* zip, handler, context and problem outlive it. NULL with *problem filled. */
struct xlsx_xml *xlsx_xml_open(struct xlsx_zip *zip, const char *part, size_t cap,
			       const struct xlsx_handler *handler, void *context,
			       struct needs_problem *problem);
void xlsx_xml_close(struct xlsx_xml **xml);

/* Parses on. NEEDS_ROW: a handler paused it; NEEDS_END: the part is read and whole; NEEDS_REFUSED. */
MUST_USE enum needs_next xlsx_xml_run(struct xlsx_xml *xml);

/* For handlers. Text and end of the element at hand may still be reported after a pause. */
void xlsx_xml_pause(struct xlsx_xml *xml);
/* The handler has filled the problem. Nothing is reported any more. */
void xlsx_xml_refused(struct xlsx_xml *xml);
bool xlsx_xml_is_refused(const struct xlsx_xml *xml);

/* Opens, runs to the end, closes. */
MUST_USE bool xlsx_xml_read(struct xlsx_zip *zip, const char *part, size_t cap,
			    const struct xlsx_handler *handler, void *context, struct needs_problem *problem);

/* NULL when there is none. */
const char *xlsx_attribute(const char *const *attributes, const char *name);

#endif
