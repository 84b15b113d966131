/* SPDX-License-Identifier: Apache-2.0
 * See password_input.h. */
#include "commands/password_input.h"
#include "service/config_file.h"
#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static bool say(char *why, size_t why_size, const char *reason)
{
	snprintf(why, why_size, "%s", reason);
	return false;
}

/* One line; its end is cut off. A longer input is refused rather than cut. */
static bool take_line(char *text, size_t len, char *why, size_t why_size)
{
	if (len > 0 && text[len - 1] == '\n')
		text[--len] = '\0';
	if (len > 0 && text[len - 1] == '\r')
		text[--len] = '\0';
	if (strlen(text) != len || strchr(text, '\n'))
		return say(why, why_size, "the password is not one line of text");
	return len > 0 || say(why, why_size, "the password is empty");
}

static bool from_file(const char *path, char out[PASSWORD_INPUT_BYTES], char *why, size_t why_size)
{
	char said[200];
	size_t len;
	char *text = config_file_load(path, PASSWORD_INPUT_BYTES - 1, &len, said, sizeof said);
	if (!text) {
		snprintf(why, why_size, "--password-file: %s: %s", path, said);
		return false;
	}
	memcpy(out, text, len + 1);
	sodium_memzero(text, len);
	free(text);
	return take_line(out, len, why, why_size);
}

static bool read_until_newline(int fd, char out[PASSWORD_INPUT_BYTES], char *why, size_t why_size)
{
	size_t len = 0;
	ssize_t n = 1;
	while (len < PASSWORD_INPUT_BYTES - 1 && n > 0 && (len == 0 || out[len - 1] != '\n')) {
		n = read(fd, out + len, 1);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			len++;
	}
	out[len] = '\0';
	if (len == PASSWORD_INPUT_BYTES - 1)
		return say(why, why_size, "the password is too long");
	return take_line(out, len, why, why_size);
}

/* Ctrl-C must not leave the terminal without echo: signals wait until it is back. */
static bool prompt(const char *question, char out[PASSWORD_INPUT_BYTES], char *why, size_t why_size)
{
	struct termios before, silent;
	sigset_t all, old;
	if (tcgetattr(STDIN_FILENO, &before) != 0)
		return say(why, why_size, "the terminal cannot be asked");
	silent = before;
	silent.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent); /* drops what was typed before the question */
	fprintf(stderr, "%s: ", question);
	bool done = read_until_newline(STDIN_FILENO, out, why, why_size);
	tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
	sigprocmask(SIG_SETMASK, &old, NULL);
	fputc('\n', stderr);
	if (done && strchr(out, '\003')) /* Ctrl-C, which came as a character */
		return say(why, why_size, "stopped");
	return done;
}

bool password_input(const char *file, char out[PASSWORD_INPUT_BYTES], char *why, size_t why_size)
{
	char again[PASSWORD_INPUT_BYTES];
	if (file)
		return from_file(file, out, why, why_size);
	if (!isatty(STDIN_FILENO))
		return read_until_newline(STDIN_FILENO, out, why, why_size);
	if (!prompt("Password", out, why, why_size) || !prompt("The same again", again, why, why_size))
		return false;
	bool same = strcmp(out, again) == 0;
	sodium_memzero(again, sizeof again);
	return same || say(why, why_size, "the two passwords differ");
}
