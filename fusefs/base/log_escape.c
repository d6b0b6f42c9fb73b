/* SPDX-License-Identifier: MIT */
/* Text for a log, made harmless. */

#include "log_escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Bytes of the UTF-8 character at p and its code point; 0 if there is none: a wrong or
 * missing byte, a form longer than need be, a surrogate, beyond U+10FFFF. */
static size_t decode(const unsigned char *p, uint32_t *ret_code)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const size_t len = p[0] < 0x80		 ? 1
			   : (p[0] >> 5) == 0x06 ? 2
			   : (p[0] >> 4) == 0x0e ? 3
			   : (p[0] >> 3) == 0x1e ? 4
						 : 0;
	uint32_t code = len <= 1 ? p[0] : p[0] & (0x7fu >> len);

	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3f);
	}
	if (len == 0 || code < least[len] || code > 0x10ffff ||
	    (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*ret_code = code;
	return len;
}

static bool is_harmless(uint32_t code)
{
	if (code < 0x20 || (code >= 0x7f && code < 0xa0) || code == '\\')
		return false;
	return !((code >= 0x200e && code <= 0x200f) ||
		 (code >= 0x2028 && code <= 0x202e) ||
		 (code >= 0x2066 && code <= 0x2069));
}

/* The escape of one byte, at most four characters. */
static size_t escape_byte(unsigned char byte, char out[static 5])
{
	static const char letters[] = "\\\\\nn\tt\rr";

	for (const char *pair = letters; *pair; pair += 2)
		if ((unsigned char)pair[0] == byte)
			return (size_t)snprintf(out, 5, "\\%c", pair[1]);
	return (size_t)snprintf(out, 5, "\\x%02x", byte);
}

void log_escape(const char *text, char *out, size_t size)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t used = 0;

	while (*p) {
		uint32_t code = 0;
		size_t len = decode(p, &code);
		char escaped[5];

		if (len > 0 && is_harmless(code)) {
			if (used + len >= size)
				break;
			memcpy(out + used, p, len);
			used += len;
			p += len;
			continue;
		}
		len = escape_byte(*p++, escaped);
		if (used + len >= size)
			break;
		memcpy(out + used, escaped, len);
		used += len;
	}
	out[used] = '\0';
}
