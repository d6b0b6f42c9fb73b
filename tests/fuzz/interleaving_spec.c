/* SPDX-License-Identifier: MIT */
/*
 * Fuzzing the language of ../interleaving. Input: a specification, or, behind an '@',
 * the schedule that a failure has printed.
 *
 * Whoever runs what was taken indexes arrays with it and compares values: so each
 * number is where its array ends, each text is terminated, and no two stores are alike.
 * Whoever reads why something was refused finds a line that is there.
 */

#include <errno.h>

#include "fuzz.h"
#include "spec.h"

#define is_terminated(text) (memchr(text, '\0', sizeof(text)) != NULL)

static bool stores(const struct step *step)
{
	return step->kind == STEP_STORE || step->kind == STEP_PRIVATE_STORE ||
	       step->kind == STEP_WRITE || step->kind == STEP_UNGATED_WRITE;
}

static bool has_page(const struct step *step)
{
	switch (step->kind) {
	case STEP_SHRINK:
	case STEP_STAT:
	case STEP_RECLAIM:
	case STEP_FLUSH:
	case STEP_FORGET:
	case STEP_UNMOUNT:
		return false;
	default:
		return true;
	}
}

static void check_session(const struct session *session, bool seen[256])
{
	fuzz_require(is_terminated(session->name) && session->name[0] != '\0');
	fuzz_require(session->nsteps <= SPEC_STEPS);
	for (unsigned i = 0; i < session->nsteps; i++) {
		const struct step *step = &session->steps[i];

		fuzz_require((unsigned)step->kind <= STEP_UNMOUNT);
		fuzz_require(is_terminated(step->text));
		fuzz_require(step->cell < CELLS_PER_PAGE);
		fuzz_require(
			step->page < FLAT_PAGES ||
			(step->kind == STEP_TRUNCATE && step->page == FLAT_PAGES) ||
			!has_page(step));
		fuzz_require(step->ncells >= 1 &&
			     step->cell + step->ncells <= CELLS_PER_PAGE);
		if (step->kind == STEP_MSYNC || step->kind == STEP_DROP ||
		    step->kind == STEP_READAHEAD || step->kind == STEP_PREFETCH)
			fuzz_require(step->end >= step->page &&
				     step->end <= FLAT_PAGES);
		if (stores(step)) {
			fuzz_require(step->value >= FLAT_FIRST_STORE);
			fuzz_require(!seen[step->value]);
			seen[step->value] = true;
		}
	}
}

static void check_permutation(const struct permutation *permutation)
{
	fuzz_require(permutation->nstops >= 1 && permutation->nstops <= SPEC_STOPS);
	for (unsigned i = 0; i < permutation->nstops; i++) {
		const struct stop *stop = &permutation->stops[i];

		fuzz_require(is_terminated(stop->task) && stop->task[0] != '\0');
		fuzz_require(is_terminated(stop->point) && stop->point[0] != '\0');
		fuzz_require(stop->times >= 1);
	}
}

static void check_expectation(const struct spec *spec, const struct expectation *e)
{
	fuzz_require((unsigned)e->when <= EXPECT_NEVER);
	fuzz_require(is_terminated(e->fact) && is_terminated(e->text));
	if (e->fact[0] != '\0')
		return;
	fuzz_require(e->session < spec->nsessions);
	fuzz_require(e->step < spec->sessions[e->session].nsteps);
}

static void check_taken(const struct spec *spec)
{
	bool seen[256] = {false};

	fuzz_require(spec->npages >= 1 && spec->npages <= FLAT_PAGES);
	fuzz_require(spec->nsessions >= 1 && spec->nsessions <= SPEC_SESSIONS);
	fuzz_require(spec->nexpectations <= SPEC_EXPECTATIONS);
	fuzz_require(spec->npermutations <= SPEC_PERMUTATIONS);
	fuzz_require(spec->config.folio_pages >= 1);
	check_session(&spec->setup, seen);
	for (unsigned i = 0; i < spec->nsessions; i++)
		check_session(&spec->sessions[i], seen);
	for (unsigned i = 0; i < spec->nexpectations; i++)
		check_expectation(spec, &spec->expectations[i]);
	for (unsigned i = 0; i < spec->npermutations; i++)
		check_permutation(&spec->permutations[i]);
}

/* "line 3: no such page" */
static void check_refused(const char *text, const char *why)
{
	unsigned line, lines = 1;
	int len = -1;

	for (; *text; text++)
		lines += *text == '\n';
	fuzz_require(sscanf(why, "line %u: %n", &line, &len) == 1);
	fuzz_require(len > 0 && why[len] != '\0' && strcmp(why + len, "(null)") != 0);
	fuzz_require(line <= lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_copy(data, size, true);
	static struct permutation permutation;
	static struct spec spec;
	char why[128];
	int err;

	memset(why, 'x', sizeof(why));
	if (text[0] == '@') {
		err = permutation_parse(text + 1, &permutation);
		if (err == 0)
			check_permutation(&permutation);
	} else {
		err = spec_parse(text, &spec, why);
		if (err == 0)
			check_taken(&spec);
		else
			check_refused(text, why);
	}
	fuzz_require(err == 0 || err == -EINVAL);
	free(text);
	return 0;
}
