/* SPDX-License-Identifier: Apache-2.0
 * The table of refusals. Invariant: every reason has a row. */
#include "service/http_refusal.h"

static const struct {
	int status;
	const char *code;
} refusals[HTTP_REFUSALS] = {
	[HTTP_NOT_REFUSED] = { 200, "none" },
	[HTTP_REFUSED_REQUEST_LINE] = { 400, "request_line" },
	[HTTP_REFUSED_METHOD] = { 501, "method_unknown" },
	[HTTP_REFUSED_TARGET] = { 400, "request_target" },
	[HTTP_REFUSED_TARGET_LONG] = { 414, "request_target_too_long" },
	[HTTP_REFUSED_VERSION] = { 505, "http_version" },
	[HTTP_REFUSED_BARE_CR] = { 400, "bare_cr" },
	[HTTP_REFUSED_BARE_LF] = { 400, "bare_lf" },
	[HTTP_REFUSED_CONTROL] = { 400, "control_character" },
	[HTTP_REFUSED_FOLD] = { 400, "folded_header" },
	[HTTP_REFUSED_FIELD] = { 400, "header_line" },
	[HTTP_REFUSED_HEADER_LONG] = { 431, "header_too_long" },
	[HTTP_REFUSED_HEADER_MANY] = { 431, "header_too_many" },
	[HTTP_REFUSED_HEADER_SLOW] = { 408, "header_too_slow" },
	[HTTP_REFUSED_HOST_MISSING] = { 400, "host_missing" },
	[HTTP_REFUSED_HOST_REPEATED] = { 400, "host_repeated" },
	[HTTP_REFUSED_HOST_VALUE] = { 400, "host_value" },
	[HTTP_REFUSED_LENGTH_VALUE] = { 400, "content_length_value" },
	[HTTP_REFUSED_LENGTH_REPEATED] = { 400, "content_length_repeated" },
	[HTTP_REFUSED_LENGTH_AND_CODING] = { 400, "content_length_and_transfer_encoding" },
	[HTTP_REFUSED_CODING_VALUE] = { 501, "transfer_encoding_value" },
	[HTTP_REFUSED_CODING_REPEATED] = { 400, "transfer_encoding_repeated" },
	[HTTP_REFUSED_CODING_VERSION] = { 400, "transfer_encoding_in_http_1_0" },
	[HTTP_REFUSED_CHUNK_LINE] = { 400, "chunk_line" },
	[HTTP_REFUSED_CHUNK_END] = { 400, "chunk_end" },
	[HTTP_REFUSED_TRAILER] = { 400, "trailer_forbidden" },
	[HTTP_REFUSED_DISAGREED] = { 400, "request_ambiguous" },
	[HTTP_REFUSED_EXPECTATION] = { 417, "expectation_failed" },
	[HTTP_REFUSED_BODY_LONG] = { 413, "body_too_long" },
	[HTTP_REFUSED_BODY_SLOW] = { 408, "body_too_slow" },
	[HTTP_REFUSED_MEMORY] = { 503, "out_of_memory" },
	[HTTP_REFUSED_ANSWER_SLOW] = { 408, "answer_not_taken" },
	[HTTP_REFUSED_FULL] = { 503, "connections" },
	[HTTP_REFUSED_ADDRESS_FULL] = { 503, "connections_of_address" },
	[HTTP_REFUSED_DESCRIPTORS] = { 503, "out_of_descriptors" },
	[HTTP_REFUSED_ACCEPT] = { 503, "accept_failed" },
};

int http_refusal_status(enum http_refusal refusal)
{
	return refusals[refusal].status;
}

const char *http_refusal_code(enum http_refusal refusal)
{
	return refusals[refusal].code;
}
