/* SPDX-License-Identifier: Apache-2.0
 * One XML part of an XLSX file, by expat.
 * Invariant: after a refusal no handler runs; expat never holds more than HELD_MOST bytes of one token. */
#include "service/needs/xlsx_xml.h"
#include "service/needs/needs_problem.h"
#include <expat.h>
#include <stdlib.h>

enum { PIECE = 64 * 1024, HELD_MOST = 1024 * 1024 };

struct xlsx_xml {
	XML_Parser parser;
	struct xlsx_zip *zip;
	const struct xlsx_handler *handler;
	void *context;
	struct needs_problem *problem;
	int64_t fed;
	bool suspended, last, refused;
};

static const char *local_name(const char *name)
{
	const char *colon = strrchr(name, ':');
	return colon ? colon + 1 : name;
}

static void XMLCALL on_start(void *user, const XML_Char *name, const XML_Char **attributes)
{
	struct xlsx_xml *xml = user;
	if (!xml->refused && xml->handler->start)
		xml->handler->start(xml->context, local_name(name), (const char *const *)attributes);
}

static void XMLCALL on_end(void *user, const XML_Char *name)
{
	struct xlsx_xml *xml = user;
	if (!xml->refused && xml->handler->end)
		xml->handler->end(xml->context, local_name(name));
}

static void XMLCALL on_text(void *user, const XML_Char *bytes, int len)
{
	struct xlsx_xml *xml = user;
	if (!xml->refused && xml->handler->text)
		xml->handler->text(xml->context, bytes, (size_t)len);
}

static void XMLCALL on_doctype(void *user, const XML_Char *name, const XML_Char *system,
			       const XML_Char *public, int internal)
{
	struct xlsx_xml *xml = user;
	(void)name, (void)system, (void)public, (void)internal;
	needs_problem_file(xml->problem, "xlsx_broken", "a document type declaration, which no XLSX has");
	xlsx_xml_refused(xml);
}

struct xlsx_xml *xlsx_xml_open(struct xlsx_zip *zip, const char *part, size_t cap,
			       const struct xlsx_handler *handler, void *context,
			       struct needs_problem *problem)
{
	if (!xlsx_zip_part_open(zip, part, cap, problem))
		return NULL;
	struct xlsx_xml *xml = calloc(1, sizeof *xml);
	XML_Parser parser = xml ? XML_ParserCreate(NULL) : NULL;
	if (!parser) {
		needs_problem_file(problem, "try_again", "not enough memory");
		xlsx_zip_part_close(zip);
		free(xml);
		return NULL;
	}
	*xml = (struct xlsx_xml){
		.parser = parser, .zip = zip, .handler = handler, .context = context, .problem = problem
	};
	XML_SetUserData(parser, xml);
	XML_SetElementHandler(parser, on_start, on_end);
	XML_SetCharacterDataHandler(parser, on_text);
	XML_SetStartDoctypeDeclHandler(parser, on_doctype);
	return xml;
}

void xlsx_xml_close(struct xlsx_xml **xml)
{
	if (!*xml)
		return;
	xlsx_zip_part_close((*xml)->zip);
	XML_ParserFree((*xml)->parser);
	free(*xml);
	*xml = NULL;
}

void xlsx_xml_pause(struct xlsx_xml *xml)
{
	XML_StopParser(xml->parser, XML_TRUE);
}

void xlsx_xml_refused(struct xlsx_xml *xml)
{
	xml->refused = true;
	XML_StopParser(xml->parser, XML_FALSE);
}

bool xlsx_xml_is_refused(const struct xlsx_xml *xml)
{
	return xml->refused;
}

static enum XML_Status feed(struct xlsx_xml *xml)
{
	void *piece = XML_GetBuffer(xml->parser, PIECE);
	if (!piece)
		return XML_STATUS_ERROR;
	long got = xlsx_zip_part_read(xml->zip, piece, PIECE, xml->problem);
	if (got < 0) {
		xml->refused = true;
		return XML_STATUS_ERROR;
	}
	xml->fed += got;
	xml->last = got == 0;
	return XML_ParseBuffer(xml->parser, (int)got, xml->last);
}

static enum needs_next failed(struct xlsx_xml *xml)
{
	enum XML_Error code = XML_GetErrorCode(xml->parser);
	if (!xml->refused && code == XML_ERROR_NO_MEMORY)
		needs_problem_file(xml->problem, "try_again", "not enough memory");
	else if (!xml->refused)
		needs_problem_file(xml->problem, "xlsx_broken", "not well-formed XML: %s",
				   XML_ErrorString(code));
	xml->refused = true;
	return NEEDS_REFUSED;
}

static bool holds_too_much(struct xlsx_xml *xml)
{
	if (xml->fed - XML_GetCurrentByteIndex(xml->parser) <= HELD_MOST)
		return false;
	needs_problem_file(xml->problem, "xlsx_too_large", "a single tag or comment of over 1 MiB");
	xml->refused = true;
	return true;
}

enum needs_next xlsx_xml_run(struct xlsx_xml *xml)
{
	if (xml->refused)
		return NEEDS_REFUSED;
	enum XML_Status status = XML_STATUS_OK;
	if (xml->suspended)
		status = XML_ResumeParser(xml->parser);
	xml->suspended = false;
	while (status == XML_STATUS_OK && !xml->last && !holds_too_much(xml))
		status = feed(xml);
	if (status == XML_STATUS_ERROR || xml->refused)
		return failed(xml);
	xml->suspended = status == XML_STATUS_SUSPENDED;
	return xml->suspended ? NEEDS_ROW : NEEDS_END;
}

bool xlsx_xml_read(struct xlsx_zip *zip, const char *part, size_t cap, const struct xlsx_handler *handler,
		   void *context, struct needs_problem *problem)
{
	struct xlsx_xml *xml = xlsx_xml_open(zip, part, cap, handler, context, problem);
	if (!xml)
		return false;
	enum needs_next next = xlsx_xml_run(xml);
	xlsx_xml_close(&xml);
	INVARIANT(next != NEEDS_ROW); /* nobody pauses here */
	return next == NEEDS_END;
}

const char *xlsx_attribute(const char *const *attributes, const char *name)
{
	for (; *attributes; attributes += 2)
		if (strcmp(local_name(attributes[0]), name) == 0)
			return attributes[1];
	return NULL;
}
