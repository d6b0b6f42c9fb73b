/* SPDX-License-Identifier: MIT */
/*
 * Pairs of kinds, and their table. The file `kinds` has sections that begin with "kind
 * NAME"; the lines of one are steps, those before the first are the head of every
 * specification.
 */

#include "pairs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct output {
	char *text;
	size_t size, len;
};

static int add(struct output *o, const char *text)
{
	const size_t len = strlen(text);

	if (o->len + len >= o->size)
		return -ENOSPC;
	memcpy(o->text + o->len, text, len + 1);
	o->len += len;
	return 0;
}

/** Whether a line begins a section, and if so, which. */
static const char *section_of(char *line)
{
	if (strncmp(line, "kind ", 5) != 0)
		return NULL;
	line[5 + strcspn(line + 5, " \t\n#")] = '\0';
	return line + 5;
}

/**
 * Add one section's lines.
 * @param name  NULL: the head
 * @return how many lines were steps, or a negative errno
 */
static int add_section(FILE *file, const char *name, struct output *o)
{
	char line[256];
	bool inside = !name;
	int steps = 0, ret = 0;

	rewind(file);
	while (ret == 0 && fgets(line, sizeof(line), file)) {
		const char *section = section_of(line);

		if (section) {
			inside = name && strcmp(section, name) == 0;
			continue;
		}
		if (!inside)
			continue;
		ret = add(o, line);
		steps += line[strspn(line, " \t")] != '\n' &&
			 line[strspn(line, " \t")] != '#';
	}
	return ret < 0 ? ret : steps;
}

static int add_session(FILE *file, const char *name, const char *kind, struct output *o)
{
	int ret = add(o, "\nsession ");

	if (ret == 0)
		ret = add(o, name);
	if (ret == 0)
		ret = add(o, "\n");
	if (ret == 0)
		ret = add_section(file, kind, o);
	return ret == 0 ? -ENOENT : ret;
}

int pair_spec(const char *kinds_path, const char *a, const char *b, char *ret_text,
	      size_t size, char ret_why[128])
{
	struct output o = {ret_text, size, 0};
	FILE *file = fopen(kinds_path, "re");
	char second[64];
	int ret;

	if (!file) {
		snprintf(ret_why, 128, "%s", strerror(errno));
		return -ENOENT;
	}
	snprintf(second, sizeof(second), "%s%s", b, strcmp(a, b) == 0 ? "-again" : "");
	ret = add_section(file, NULL, &o);
	if (ret >= 0)
		ret = add_session(file, a, a, &o);
	if (ret >= 0)
		ret = add_session(file, second, b, &o);
	if (ret < 0)
		snprintf(ret_why, 128, "no kind '%s', or no kind '%s'", a, b);
	fclose(file);
	return ret < 0 ? ret : 0;
}

/* --------------------------------------------------------------------- the table */

static const char *const kind_names[PAIR_KIND_COUNT] = {
#define PAIR_KIND_NAME(name) #name,
	PAIR_KINDS(PAIR_KIND_NAME)
#undef PAIR_KIND_NAME
};

const char *pair_kind_name(enum pair_kind kind)
{
	return kind_names[kind];
}

static bool find_kind(const char *name, enum pair_kind *ret)
{
	for (unsigned i = 0; i < PAIR_KIND_COUNT; i++)
		if (name && strcmp(kind_names[i], name) == 0) {
			*ret = (enum pair_kind)i;
			return true;
		}
	return false;
}

/** Whether each word is a file. */
static bool all_exist(const char *specs)
{
	char words[sizeof(((struct pair *)NULL)->text)];
	char *save = NULL;

	strcpy(words, specs);
	for (char *word = strtok_r(words, " ", &save); word;
	     word = strtok_r(NULL, " ", &save))
		if (access(word, R_OK) < 0)
			return false;
	return true;
}

/** @return NULL, or what is wrong with the row */
static const char *parse_row(char *line, struct pair *pair)
{
	char *save = NULL;
	const char *a = strtok_r(line, " \t", &save);
	const char *b = strtok_r(NULL, " \t", &save);
	const char *how = strtok_r(NULL, " \t", &save);
	const char *text = strtok_r(NULL, "", &save);

	if (!find_kind(a, &pair->a) || !find_kind(b, &pair->b))
		return "no such kind";
	text = text ? text + strspn(text, " \t") : "";
	if (strlen(text) >= sizeof(pair->text))
		return "too long";
	strcpy(pair->text, text);
	pair->is_generated = how && strcmp(how, "generated") == 0;
	pair->cannot_happen = how && strcmp(how, "never") == 0;
	if (!pair->is_generated && !pair->cannot_happen &&
	    !(how && strcmp(how, "spec") == 0))
		return "neither generated, nor spec, nor never";
	if (!pair->is_generated && !*text)
		return "no specification and no reason";
	if (!pair->cannot_happen && !all_exist(text))
		return "no such specification";
	return NULL;
}

static const char *add_row(char *line, struct pair *pairs, size_t *n)
{
	struct pair pair;
	const char *why = parse_row(line, &pair);

	for (size_t i = 0; i < *n && !why; i++)
		if ((pairs[i].a == pair.a && pairs[i].b == pair.b) ||
		    (pairs[i].a == pair.b && pairs[i].b == pair.a))
			why = "this pair is there already";
	if (!why)
		pairs[(*n)++] = pair;
	return why;
}

/* No pair is there twice, so one is missing if there are fewer than all. */
static int find_missing(const struct pair *pairs, size_t n, char why[128])
{
	bool seen[PAIR_KIND_COUNT][PAIR_KIND_COUNT] = {{false}};

	for (size_t i = 0; i < n; i++)
		seen[pairs[i].a][pairs[i].b] = seen[pairs[i].b][pairs[i].a] = true;
	for (unsigned a = 0; a < PAIR_KIND_COUNT; a++)
		for (unsigned b = a; b < PAIR_KIND_COUNT; b++)
			if (!seen[a][b]) {
				snprintf(why, 128, "%s and %s are missing",
					 kind_names[a], kind_names[b]);
				return -EINVAL;
			}
	return 0;
}

int pair_table(const char *path, struct pair ret_pairs[PAIR_COUNT], char ret_why[128])
{
	FILE *file = fopen(path, "re");
	const char *why = NULL;
	unsigned number = 0;
	char line[256];
	size_t n = 0;

	if (!file) {
		snprintf(ret_why, 128, "%s", strerror(errno));
		return -EINVAL;
	}
	while (!why && fgets(line, sizeof(line), file)) {
		number++;
		line[strcspn(line, "\n#")] = '\0';
		if (line[strspn(line, " \t")])
			why = add_row(line, ret_pairs, &n);
	}
	fclose(file);
	if (why) {
		snprintf(ret_why, 128, "line %u: %s", number, why);
		return -EINVAL;
	}
	return find_missing(ret_pairs, n, ret_why);
}
