/* SPDX-License-Identifier: MIT */
/* Words of a specification. */

#include "spec_words.h"

#include <errno.h>
#include <string.h>

int spec_number(const char *word, unsigned max, unsigned *ret)
{
	unsigned value = 0;

	if (!*word)
		return -EINVAL;
	for (; *word; word++) {
		if (*word < '0' || *word > '9')
			return -EINVAL;
		value = value * 10 + (unsigned)(*word - '0');
		if (value > max)
			return -EINVAL;
	}
	*ret = value;
	return 0;
}

int spec_place(const char *word, unsigned *ret_page, unsigned *ret_cell)
{
	const char *dot = strchr(word, '.');
	char page[8];

	if (!dot)
		return spec_number(word, FLAT_PAGES, ret_page);
	if ((size_t)(dot - word) >= sizeof(page))
		return -EINVAL;
	memcpy(page, word, (size_t)(dot - word));
	page[dot - word] = '\0';
	if (spec_number(dot + 1, CELLS_PER_PAGE - 1, ret_cell) < 0)
		return -EINVAL;
	return spec_number(page, FLAT_PAGES - 1, ret_page);
}

/* ------------------------------------------------------------------------- steps */

enum arguments {
	ARGS_NONE,
	ARGS_PLACE,  /* PAGE or PAGE.CELL */
	ARGS_RANGE,  /* PAGE COUNT */
	ARGS_MOVE,   /* PAGE COUNT PAGE */
	ARGS_PLACES, /* PLACE COUNT: cells */
};

static const struct verb {
	const char *name;
	enum step_kind kind;
	enum arguments args;
	enum cl_range_op_kind op;
	bool stores;
} verbs[] = {
	{"load", STEP_LOAD, ARGS_PLACE, 0, false},
	{"store", STEP_STORE, ARGS_PLACE, 0, true},
	{"private-load", STEP_PRIVATE_LOAD, ARGS_PLACE, 0, false},
	{"private-store", STEP_PRIVATE_STORE, ARGS_PLACE, 0, true},
	{"read", STEP_READ, ARGS_PLACE, 0, false},
	{"write", STEP_WRITE, ARGS_PLACE, 0, true},
	{"pin", STEP_PIN, ARGS_PLACE, 0, false},
	{"pinned-store", STEP_PINNED_STORE, ARGS_PLACE, 0, true},
	{"msync", STEP_MSYNC, ARGS_RANGE, 0, false},
	{"writeback", STEP_WRITEBACK, ARGS_RANGE, 0, false},
	{"drop", STEP_DROP, ARGS_RANGE, 0, false},
	{"shrink", STEP_SHRINK, ARGS_NONE, 0, false},
	{"readahead", STEP_READAHEAD, ARGS_RANGE, 0, false},
	{"truncate", STEP_TRUNCATE, ARGS_PLACE, 0, false},
	{"stat", STEP_STAT, ARGS_NONE, 0, false},
	{"cut-behind", STEP_CUT_BEHIND, ARGS_PLACE, 0, false},
	{"reclaim", STEP_RECLAIM, ARGS_NONE, 0, false},
	{"flush", STEP_FLUSH, ARGS_NONE, 0, false},
	{"prefetch", STEP_PREFETCH, ARGS_RANGE, 0, false},
	{"ungated-write", STEP_UNGATED_WRITE, ARGS_PLACE, 0, true},
	{"forget", STEP_FORGET, ARGS_NONE, 0, false},
	{"unmount", STEP_UNMOUNT, ARGS_NONE, 0, false},
	{"collapse", STEP_OPERATION, ARGS_RANGE, CL_COLLAPSE, false},
	{"insert", STEP_OPERATION, ARGS_RANGE, CL_INSERT, false},
	{"move", STEP_OPERATION, ARGS_MOVE, CL_MOVE, false},
	{"punch", STEP_OPERATION, ARGS_PLACES, CL_PUNCH, false},
	{"zero", STEP_OPERATION, ARGS_PLACES, CL_ZERO, false},
};

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static int parse_arguments(const struct verb *verb, char **words, unsigned nwords,
			   struct step *step)
{
	static const unsigned counts[] = {0, 1, 2, 3, 2};
	unsigned to = 0;

	step->ncells = CELLS_PER_PAGE;
	if (nwords != counts[verb->args])
		return -EINVAL;
	if (nwords > 0 && spec_place(words[0], &step->page, &step->cell) < 0)
		return -EINVAL;
	if (nwords > 0 && strchr(words[0], '.'))
		step->ncells = 1;
	if (nwords > 1 && spec_number(words[1], FLAT_CELLS, &step->end) < 0)
		return -EINVAL;
	if (nwords > 2 && spec_number(words[2], FLAT_PAGES, &to) < 0)
		return -EINVAL;
	step->op = (struct cl_range_op){
		.kind = verb->op,
		.offset = ((uint64_t)step->page << CL_PAGE_SHIFT) +
			  step->cell * CELL_SIZE,
		.len = verb->args == ARGS_PLACES && step->ncells == 1
			       ? (uint64_t)step->end * CELL_SIZE
			       : (uint64_t)step->end << CL_PAGE_SHIFT,
		.destination = (uint64_t)to << CL_PAGE_SHIFT,
	};
	if (verb->args == ARGS_RANGE || verb->args == ARGS_MOVE)
		if (step->page + step->end > FLAT_PAGES || step->cell != 0)
			return -EINVAL;
	step->end += step->page;
	return 0;
}

int spec_step(char **words, unsigned nwords, struct step *ret_step, bool *ret_stores,
	      const char **ret_why)
{
	const struct verb *verb = find_verb(words[0]);
	struct step step;

	*ret_why = "no such statement or step";
	if (!verb)
		return -EINVAL;
	step = (struct step){.kind = verb->kind};
	*ret_why = "wrong arguments";
	if (parse_arguments(verb, words + 1, nwords - 1, &step) < 0)
		return -EINVAL;
	*ret_why = "no such page";
	if (step.page >= FLAT_PAGES && verb->args != ARGS_NONE &&
	    step.kind != STEP_TRUNCATE)
		return -EINVAL;
	*ret_step = step;
	*ret_stores = verb->stores;
	return 0;
}
