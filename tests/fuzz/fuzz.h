/* SPDX-License-Identifier: MIT */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

/*
 * What the fuzz targets share. Each is a program of its own, with libFuzzer's main().
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/** What must be so for every input. */
#define fuzz_require(condition)                                                        \
	do {                                                                           \
		if (!(condition))                                                      \
			fuzz_violated(#condition, __FILE__, __LINE__);                 \
	} while (0)

__attribute__((noreturn)) static inline void fuzz_violated(const char *condition,
							   const char *file, int line)
{
	/* stderr may be a target's own by now. */
	dprintf(2, "%s:%d: it must be that %s\n", file, line, condition);
	abort();
}

/** A heap copy of exactly that size, so that AddressSanitizer guards its ends. */
static inline char *fuzz_copy(const uint8_t *data, size_t size, bool terminated)
{
	char *copy = malloc(size + terminated ?: 1);

	fuzz_require(copy);
	memcpy(copy, data, size);
	if (terminated)
		copy[size] = '\0';
	return copy;
}

/** An input in pieces; past its end there are zeros. */
struct fuzz_input {
	const uint8_t *at;
	const uint8_t *end;
};

static inline uint8_t fuzz_u8(struct fuzz_input *input)
{
	return input->at < input->end ? *input->at++ : 0;
}

static inline uint16_t fuzz_u16(struct fuzz_input *input)
{
	const uint8_t low = fuzz_u8(input);

	return (uint16_t)(low | fuzz_u8(input) << 8);
}

#endif
