/* SPDX-License-Identifier: Apache-2.0
 * See problem_codes.h. */
#include "api/problem_codes.h"

#define CLIENT_FAULT "Mend the client, or the proxy in between: this is no valid HTTP/1.1 (RFC 9112)."
#define LATER "Try again later, with the same Idempotency-Key; Retry-After says when."
#define SEND_LESS "Send less."

const struct problem_code request_codes[] = {
	{ "request_line", "400", "The request line cannot be read.", CLIENT_FAULT },
	{ "method_unknown", "501", "There is no such method.", CLIENT_FAULT },
	{ "request_target", "400", "The target is malformed.", CLIENT_FAULT },
	{ "request_target_too_long", "414", "The target is too long.", SEND_LESS },
	{ "http_version", "505", "The version is neither 1.0 nor 1.1.", CLIENT_FAULT },
	{ "bare_cr", "400", "A carriage return without a line feed.", CLIENT_FAULT },
	{ "bare_lf", "400", "A line feed without a carriage return.", CLIENT_FAULT },
	{ "control_character", "400", "A control character in the header block.", CLIENT_FAULT },
	{ "folded_header", "400", "A header field goes on in the next line.", CLIENT_FAULT },
	{ "header_line", "400", "A header line is malformed.", CLIENT_FAULT },
	{ "header_too_long", "431", "The header block is too long.", SEND_LESS },
	{ "header_too_many", "431", "There are too many header fields.", SEND_LESS },
	{ "header_too_slow", "408", "The header block did not come in time.", "Send it at once." },
	{ "host_missing", "400", "There is no Host.", CLIENT_FAULT },
	{ "host_repeated", "400", "There is more than one Host.", CLIENT_FAULT },
	{ "host_value", "400", "The Host is malformed.", CLIENT_FAULT },
	{ "content_length_value", "400", "The Content-Length is no number.", CLIENT_FAULT },
	{ "content_length_repeated", "400", "There is more than one Content-Length.", CLIENT_FAULT },
	{ "content_length_and_transfer_encoding", "400", "Content-Length and Transfer-Encoding together.",
	  CLIENT_FAULT },
	{ "transfer_encoding_value", "501", "A Transfer-Encoding other than chunked.", CLIENT_FAULT },
	{ "transfer_encoding_repeated", "400", "There is more than one Transfer-Encoding.", CLIENT_FAULT },
	{ "transfer_encoding_in_http_1_0", "400", "Transfer-Encoding in HTTP/1.0.", CLIENT_FAULT },
	{ "chunk_line", "400", "The size of a chunk cannot be read.", CLIENT_FAULT },
	{ "chunk_end", "400", "A chunk does not end where it should.", CLIENT_FAULT },
	{ "trailer_forbidden", "400", "A trailer field that may not be one.", CLIENT_FAULT },
	{ "request_ambiguous", "400", "Two readers would read this request differently.", CLIENT_FAULT },
	{ "expectation_failed", "417", "An Expect other than 100-continue.", CLIENT_FAULT },
	{ "body_too_long", "413", "The body is too long.", SEND_LESS },
	{ "body_too_slow", "408", "The body did not come in time.", "Try again on a better line." },
	{ "out_of_memory", "503", "The request did not fit into memory.", LATER },
	{ "answer_not_taken", "408",
	  "The answer was not taken in time: the connection was closed, and nobody told.",
	  "Read answers as they come." },
	{ "connections", "503", "Too many connections: this one was closed, and nobody told.",
	  "Keep a few connections alive rather than opening many." },
	{ "connections_of_address", "503", "Too many connections from one address: closed, and nobody told.",
	  "Keep a few connections alive; list a proxy of yours in `trusted_proxies`." },
	{ "out_of_descriptors", "503", "The server ran out of descriptors: closed, and nobody told.",
	  "Raise the server's limit of open files." },
	{ "accept_failed", "503", "A connection could not be taken: nobody was told.",
	  "See the server's log." },
	{ 0 },
};

const struct problem_code input_codes[] = {
	{ "no_such_path", "404", "There is no such path.", "See /openapi.json." },
	{ "method_not_allowed", "405", "The path does not know this method.", "Allow lists those it knows." },
	{ "content_type_unsupported", "415", "The body is of a type that is not understood here.",
	  "Send the Content-Type that /openapi.json names." },
	{ "json_invalid", "400", "The body is no JSON.", "`detail` names line and column." },
	{ "query_invalid", "400", "The query is not UTF-8 in percent encoding.", "Encode each value once." },
	{ "unknown_parameter", "422", "There is no such query parameter.", "See /openapi.json." },
	{ "unknown_field", "422", "There is no such field.", "See /openapi.json." },
	{ "required", "422", "The field is needed.", "Ask the user for it." },
	{ "wrong_type", "422", "The field is of another type.", "`detail` says of which." },
	{ "not_allowed", "422", "The value is none of those allowed.", "`detail` lists them." },
	{ "out_of_range", "422", "The number is too small or too large.", "`detail` says the bounds." },
	{ "too_short", "422", "The text is too short.", "`detail` says the bound." },
	{ "too_long", "422, 413", "The text, or all of it together, is too long.",
	  "`detail` says the bound." },
	{ "nul_in_text", "422", "The text has a NUL character.", "Take it out." },
	{ "given_twice", "422", "The parameter is given twice.", "Give it once." },
	{ "not_combined", "422", "These parameters do not go together.", "See /openapi.json." },
	{ "cursor_invalid", "422", "`after` is none that a page gave.", "Follow the Link header of a page." },
	{ "not_a_date", "422", "The value is no date.", "2026-11-22." },
	{ "not_a_time", "422", "The value is no time.", "RFC 3339: 2026-11-22T08:00:00Z." },
	{ "not_a_region", "422", "The value is no region code.", "Six or nine digits." },
	{ "citizen_id_invalid", "422", "The value is no citizen ID.",
	  "Eighteen characters with a right check digit." },
	{ "if_match_invalid", "400", "If-Match is no version.", "Send the ETag that came with the thing." },
	{ "idempotency_key_invalid", "400", "The Idempotency-Key is malformed.",
	  "1 to 200 visible characters, such as a UUID." },
	{ "idempotency_key_reused", "422", "The Idempotency-Key was used for another request.",
	  "A new key for a new request." },
	{ "request_in_progress", "409", "The same request is still being worked on.",
	  "Wait, then send it again with the same key." },
	{ "sign_in_required", "401", "There is no session, or it has ended.", "Sign in." },
	{ "wrong_user_or_password", "401", "There is no such account with this password.",
	  "Ask the user again." },
	{ "outside_your_scope", "403", "It is not the account's to change.", "Show the user what is his." },
	{ "account_locked_out", "429", "Too many failures for this account; it has to wait.",
	  "Wait as long as Retry-After says." },
	{ "too_many_failed_sign_ins", "429", "Too many failures from this address, or for this account.",
	  "Wait as long as Retry-After says." },
	{ "too_many_sign_ins", "429", "Too many sign-ins at once.",
	  "Wait as long as Retry-After says; keep the session." },
	{ "too_many_unknown_tokens", "429", "Too many tokens from this address that nobody knows.",
	  "Sign in again." },
	{ "token_budget_spent", "429", "The token asks faster than it may.",
	  "Wait as long as Retry-After says." },
	{ "sign_in_busy", "503", "Too many sign in at this moment.", LATER },
	{ "already_there", "409", "The same thing is already there.", "Read it, and change that." },
	{ "refers_to_nothing", "422", "It refers to something that is not there.",
	  "Read again what it refers to." },
	{ "file_gone", "410", "The uploaded file is not kept any more.", "Send the file again." },
	{ "import_not_done", "409", "The import is not over yet.", "Ask again when its state is done." },
	{ "storage_unavailable", "503", "The file could not be kept, or not be read.", LATER },
	{ "storage_full", "507", "There is no room for the file.",
	  "Tell the administrator: the volume of uploads is full." },
	{ "try_again", "503", "Others were faster, or there is no room for it now.", LATER },
	{ "took_too_long", "503", "The database took too long.", "Ask for less, or later." },
	{ "database_unavailable", "503", "The database does not answer; nothing was done.", LATER },
	{ "database_full", "503", "The database has no room; nothing was done.", "Tell the administrator." },
	{ "outcome_unknown", "503",
	  "The connection to the database broke while this was written: done or not.",
	  "Send it again with the same Idempotency-Key: it is done once." },
	{ "stopping", "503", "The server is about to stop.", LATER },
	{ "answer_too_large", "500", "The answer would be too large.", "Ask for smaller pages." },
	{ "internal_error", "500", "The service failed.", "Report it with the X-Request-Id." },
	{ 0 },
};

#define MEND "Mend the file; `detail` and `field` name row and column."
const struct problem_code file_codes[] = {
	{ "file_empty", "422", "There is nothing in the file.", "Choose the right file." },
	{ "file_unreadable", "422", "The file cannot be read.", "Send it again." },
	{ "encoding_unknown", "422", "The text is neither UTF-8 nor GB18030.", "Save it as one of them." },
	{ "header_missing", "422", "The first row is not the header of a needs file.", MEND },
	{ "column_missing", "422", "A column is missing.", MEND },
	{ "column_unknown", "422", "There is a column that is not known.", MEND },
	{ "column_twice", "422", "A column is there twice.", MEND },
	{ "row_too_wide", "422", "A row has more cells than the header.", MEND },
	{ "cell_too_long", "422", "A cell is too long.", MEND },
	{ "cell_control", "422", "A cell has a control character.", MEND },
	{ "csv_quote", "422", "The quotes of the CSV do not match.", MEND },
	{ "too_many_rows", "422", "There are too many rows.", "Split the file." },
	{ "xls_old", "422", "This is the old XLS format.", "Save it as XLSX or CSV." },
	{ "xlsx_broken", "422", "The XLSX cannot be read.", "Save it again, or as CSV." },
	{ "xlsx_encrypted", "422", "The XLSX has a password.", "Take the password off." },
	{ "xlsx_formula", "422", "A cell has a formula.", "Paste values only." },
	{ "xlsx_sheet_missing", "422", "The XLSX has no sheet.", "Save it again." },
	{ "xlsx_too_large", "422", "The XLSX is too large.", "Split the file." },
	{ 0 },
};

const char *problem_todo_of_status(int status)
{
	switch (status) {
	case 403:
		return "Hide it from this user.";
	case 404:
		return "Read the list again.";
	case 409:
		return "Read it again, and show the user what is there.";
	case 412:
		return "Read it again, show the user both, and let him decide.";
	default:
		return "Show the user which field to mend.";
	}
}
