/* SPDX-License-Identifier: MIT */
/*
 * Reading specifications: one statement a line, words between blanks, # begins a
 * comment. Words by themselves, steps among them, are spec_words.c's.
 */

#include "spec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spec_words.h"

#define WORDS_MAX (SPEC_STOPS + 2)

/* Each store has a byte of its own, those of the setup included. */
_Static_assert((SPEC_SESSIONS + 1) * SPEC_STEPS <= UINT8_MAX - FLAT_FIRST_STORE,
	       "more steps than bytes to store");
#define LINE_MAX_BYTES 16384

struct parser {
	struct spec *spec;
	struct session *session; /* that steps belong to; NULL: none yet */
	char line[LINE_MAX_BYTES];
	char *words[WORDS_MAX];
	unsigned nwords;
	const char *why;
};

static int fail(struct parser *p, const char *why)
{
	p->why = why;
	return -EINVAL;
}

static int copy_name(char *to, const char *from, size_t len)
{
	if (len == 0 || len >= SPEC_NAME)
		return -EINVAL;
	memcpy(to, from, len);
	to[len] = '\0';
	return 0;
}

static void join(char *to, size_t size, char **words, unsigned nwords)
{
	size_t len = 0;

	to[0] = '\0';
	for (unsigned i = 0; i < nwords && len < size; i++)
		len += (size_t)snprintf(to + len, size - len, "%s%s", i ? " " : "",
					words[i]);
}

static int parse_step(struct parser *p)
{
	struct session *session = p->session;
	struct step *step;
	bool stores;

	if (!session)
		return fail(p, "no such statement, or a step outside of a session");
	if (session->nsteps == SPEC_STEPS)
		return fail(p, "too many steps");
	step = &session->steps[session->nsteps];
	if (spec_step(p->words, p->nwords, step, &stores, &p->why) < 0)
		return -EINVAL;
	if (stores)
		step->value = p->spec->next_value++;
	join(step->text, sizeof(step->text), p->words, p->nwords);
	session->nsteps++;
	return 0;
}

/* --------------------------------------------------------------------- statements */

static int parse_stop(const char *word, struct stop *stop)
{
	const char *colon = strchr(word, ':');
	const char *star = strchr(word, '*');

	stop->times = 1;
	if (!colon || copy_name(stop->task, word, (size_t)(colon - word)) < 0)
		return -EINVAL;
	if (star && (star < colon || spec_number(star + 1, 9999, &stop->times) < 0 ||
		     stop->times == 0))
		return -EINVAL;
	return copy_name(stop->point, colon + 1,
			 star ? (size_t)(star - colon - 1) : strlen(colon + 1));
}

static int parse_stops(char **words, unsigned nwords, struct permutation *permutation)
{
	permutation->nstops = 0;
	for (unsigned i = 0; i < nwords; i++) {
		if (permutation->nstops == SPEC_STOPS ||
		    parse_stop(words[i], &permutation->stops[permutation->nstops]) < 0)
			return -EINVAL;
		permutation->nstops++;
	}
	return nwords > 0 ? 0 : -EINVAL;
}

static int parse_result(const char *word, int *ret)
{
	static const struct {
		const char *name;
		int result;
	} names[] = {
		{"sigbus", SIM_SIGBUS}, {"zero", 0}, {"done", 0}, {"einval", -EINVAL}};
	unsigned page, cell = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(word, names[i].name) == 0) {
			*ret = names[i].result;
			return 0;
		}
	if (spec_place(word, &page, &cell) < 0)
		return -EINVAL;
	*ret = (int)(page * CELLS_PER_PAGE + cell + 1);
	return 0;
}

/** "mapper.1 = 4.0" */
static int parse_fact(struct parser *p, struct expectation *e)
{
	char *dot = strrchr(p->words[2], '.');
	unsigned step;

	if (p->nwords == 3 && !dot)
		return copy_name(e->fact, p->words[2], strlen(p->words[2]));
	if (p->nwords != 5 || !dot || strcmp(p->words[3], "=") != 0 ||
	    spec_number(dot + 1, SPEC_STEPS, &step) < 0 ||
	    parse_result(p->words[4], &e->result) < 0)
		return -EINVAL;
	for (unsigned i = 0; i < p->spec->nsessions; i++) {
		const struct session *session = &p->spec->sessions[i];

		if (strlen(session->name) != (size_t)(dot - p->words[2]) ||
		    memcmp(session->name, p->words[2], strlen(session->name)) != 0)
			continue;
		e->session = i;
		e->step = step - 1;
		return step > 0 && step <= session->nsteps ? 0 : -EINVAL;
	}
	return -EINVAL;
}

static int parse_expect(struct parser *p)
{
	static const char *const whens[] = {"always", "sometimes", "never"};
	struct expectation *e = &p->spec->expectations[p->spec->nexpectations];

	if (p->spec->nexpectations == SPEC_EXPECTATIONS)
		return fail(p, "too many expectations");
	if (p->nwords < 3)
		return fail(p, "expect WHEN FACT");
	*e = (struct expectation){.when = EXPECT_ALWAYS};
	while (e->when <= EXPECT_NEVER && strcmp(whens[e->when], p->words[1]) != 0)
		e->when++;
	join(e->text, sizeof(e->text), p->words, p->nwords);
	if (e->when > EXPECT_NEVER || parse_fact(p, e) < 0)
		return fail(p, "expect always|sometimes|never FACT");
	p->spec->nexpectations++;
	return 0;
}

static int parse_session(struct parser *p)
{
	struct spec *spec = p->spec;

	if (p->nwords != 2 || spec->nsessions == SPEC_SESSIONS)
		return fail(p, "session NAME, five at most");
	p->session = &spec->sessions[spec->nsessions];
	if (copy_name(p->session->name, p->words[1], strlen(p->words[1])) < 0 ||
	    strpbrk(p->words[1], ":*."))
		return fail(p, "not a name");
	spec->nsessions++;
	return 0;
}

/** "pages 8", "readahead-window 4": a number in the spec itself */
static int parse_setting(struct parser *p, unsigned min, unsigned max, unsigned *ret)
{
	unsigned value;

	if (p->nwords != 2 || spec_number(p->words[1], max, &value) < 0 || value < min)
		return fail(p, "not such a number");
	*ret = value;
	return 0;
}

static int parse_permutation(struct parser *p)
{
	struct spec *spec = p->spec;

	if (spec->npermutations == SPEC_PERMUTATIONS ||
	    parse_stops(p->words + 1, p->nwords - 1,
			&spec->permutations[spec->npermutations]) < 0)
		return fail(p, "permutation SESSION:POINT[*TIMES] …");
	spec->npermutations++;
	return 0;
}

static int parse_statement(struct parser *p)
{
	struct spec *spec = p->spec;
	const char *name = p->words[0];

	if (strcmp(name, "session") == 0)
		return parse_session(p);
	if (strcmp(name, "expect") == 0)
		return parse_expect(p);
	if (strcmp(name, "permutation") == 0)
		return parse_permutation(p);
	if (strcmp(name, "pages") == 0)
		return parse_setting(p, 1, 12, &spec->npages);
	if (strcmp(name, "preemptions") == 0)
		return parse_setting(p, 0, 9, &spec->preemptions);
	if (strcmp(name, "folio-pages") == 0)
		return parse_setting(p, 1, 4, &spec->config.folio_pages);
	if (strcmp(name, "readahead-window") == 0)
		return parse_setting(p, 1, 8, &spec->config.readahead);
	if (strcmp(name, "max-background") == 0)
		return parse_setting(p, 1, 8, &spec->config.max_background);
	if (strcmp(name, "flush-age-ms") == 0)
		return parse_setting(p, 2, 20, &spec->flush_age_ms);
	if (p->nwords > 1)
		return parse_step(p);
	if (strcmp(name, "setup") == 0)
		p->session = &spec->setup;
	else if (strcmp(name, "temporary-copies") == 0)
		spec->config.temporary_copies = true;
	else if (strcmp(name, "write-back") == 0)
		spec->config.daemon_writes_back = true;
	else if (strcmp(name, "write-past") == 0)
		spec->config.daemon_writes_past = true;
	else if (strcmp(name, "verify") == 0)
		spec->verify = true;
	else
		return parse_step(p);
	return 0;
}

static int split(char *line, char **words, unsigned *ret_nwords)
{
	char *save = NULL;

	*ret_nwords = 0;
	for (char *word = strtok_r(line, " \t\r", &save); word && *word != '#';
	     word = strtok_r(NULL, " \t\r", &save)) {
		if (*ret_nwords == WORDS_MAX)
			return -EINVAL;
		words[(*ret_nwords)++] = word;
	}
	return 0;
}

/** @return 0 or -EINVAL */
static int parse_line(struct parser *p, const char *text, size_t len)
{
	if (len >= sizeof(p->line))
		return fail(p, "a line too long");
	memcpy(p->line, text, len);
	p->line[len] = '\0';
	if (split(p->line, p->words, &p->nwords) < 0)
		return fail(p, "too many words");
	return p->nwords == 0 ? 0 : parse_statement(p);
}

static bool is_power_of_two(unsigned n)
{
	return (n & (n - 1)) == 0;
}

static int check(struct parser *p)
{
	const struct sim_config *config = &p->spec->config;

	if (p->spec->nsessions == 0)
		return fail(p, "no session");
	if (!is_power_of_two(config->folio_pages) ||
	    !is_power_of_two(config->readahead))
		return fail(p, "folio-pages and readahead-window: powers of two");
	if (config->folio_pages > 1 && config->readahead < config->folio_pages)
		return fail(p, "larger folios come from readahead alone");
	if (config->max_background > 0 && !config->temporary_copies)
		return fail(p,
			    "max-background is simulated with temporary-copies alone");
	return 0;
}

int spec_parse(const char *text, struct spec *ret_spec, char ret_why[128])
{
	struct parser p = {.spec = ret_spec};
	unsigned line = 1;
	int ret = 0;

	memset(ret_spec, 0, sizeof(*ret_spec));
	ret_spec->npages = 8;
	ret_spec->preemptions = 2;
	ret_spec->config.folio_pages = 1;
	ret_spec->next_value = FLAT_FIRST_STORE;
	snprintf(ret_spec->setup.name, SPEC_NAME, "setup");
	for (; ret == 0 && *text; line++) {
		const size_t len = strcspn(text, "\n");

		ret = parse_line(&p, text, len);
		text += len + (text[len] == '\n');
	}
	if (ret == 0)
		ret = check(&p);
	if (ret < 0)
		snprintf(ret_why, 128, "line %u: %s", line - 1, p.why);
	return ret;
}

int permutation_parse(const char *text, struct permutation *ret_permutation)
{
	char line[LINE_MAX_BYTES];
	char *words[WORDS_MAX];
	unsigned nwords;

	if (strlen(text) >= sizeof(line))
		return -EINVAL;
	strcpy(line, text);
	if (split(line, words, &nwords) < 0)
		return -EINVAL;
	return parse_stops(words, nwords, ret_permutation);
}
