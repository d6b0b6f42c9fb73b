/* SPDX-License-Identifier: MIT */

#include "page.h"

const unsigned cell_word[PAGE_CELLS] = {0, 170, 341, PAGE_WORDS - 1};

/* splitmix64's finaliser: any change of identity or position changes half of the bits.
 */
static uint64_t mix(uint32_t identity, unsigned word)
{
	uint64_t x = (uint64_t)identity << 16 | word;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static bool is_slot(unsigned word)
{
	return word >= SLOT_WORD && word < SLOT_WORD + PAGE_SLOTS;
}

static bool is_cell(unsigned word)
{
	for (unsigned c = 0; c < PAGE_CELLS; c++)
		if (word == cell_word[c])
			return true;
	return false;
}

void page_make(uint64_t *page, uint32_t identity)
{
	for (unsigned w = 0; w < PAGE_WORDS; w++)
		page[w] = is_slot(w)   ? 0
			  : is_cell(w) ? (uint64_t)identity << COUNT_BITS
				       : mix(identity, w);
}

int page_compare(const uint64_t *page, uint32_t identity)
{
	for (unsigned w = 0; w < PAGE_WORDS; w++) {
		bool same;

		if (identity == 0)
			same = page[w] == 0;
		else if (is_slot(w))
			same = true;
		else if (is_cell(w))
			same = cell_identity(page[w]) == identity;
		else
			same = page[w] == mix(identity, w);
		if (!same)
			return (int)w;
	}
	return -1;
}
