/* SPDX-License-Identifier: MIT */
#ifndef TESTS_INTERLEAVING_SPEC_H
#define TESTS_INTERLEAVING_SPEC_H

/*
 * A specification: sessions, their steps, and what is expected of all their
 * interleavings. ../README.md has the language.
 */

#include "sim_kernel.h"

#define SPEC_SESSIONS	  5u
#define SPEC_STEPS	  8u
#define SPEC_EXPECTATIONS 8u
#define SPEC_PERMUTATIONS 16u
#define SPEC_STOPS	  200u
#define SPEC_NAME	  24u

enum step_kind {
	STEP_LOAD,  /* page.cell */
	STEP_STORE, /* page.cell */
	STEP_PRIVATE_LOAD,
	STEP_PRIVATE_STORE,
	STEP_READ,	   /* page */
	STEP_WRITE,	   /* page.cell, or a whole page */
	STEP_PIN,	   /* page */
	STEP_PINNED_STORE, /* page.cell; that ends the pin */
	STEP_MSYNC,	   /* page, end */
	STEP_WRITEBACK,	   /* page, end */
	STEP_DROP,	   /* page, end */
	STEP_SHRINK,	   /* nothing */
	STEP_READAHEAD,	   /* page, pages */
	STEP_TRUNCATE,	   /* pages.cells */
	STEP_OPERATION,
	STEP_STAT,
	STEP_CUT_BEHIND, /* pages.cells; then stat */
	STEP_RECLAIM,	 /* the library's */
	STEP_FLUSH,
	STEP_PREFETCH,	    /* page, pages */
	STEP_UNGATED_WRITE, /* page.cell; against the rules */
	STEP_FORGET,
	STEP_UNMOUNT,
};

struct step {
	enum step_kind kind;
	unsigned page, cell; /* of the first argument; a size in pages and cells */
	unsigned ncells;     /* that a write changes */
	unsigned end;	     /* of the second argument */
	struct cl_range_op op;
	uint8_t value; /* that a store or write leaves; unlike any other */
	char text[40];
};

struct session {
	char name[SPEC_NAME];
	unsigned nsteps;
	struct step steps[SPEC_STEPS];
};

enum expect_when { EXPECT_ALWAYS, EXPECT_SOMETIMES, EXPECT_NEVER };

/** A fact about one schedule: a counter that is not zero, or a step's result. */
struct expectation {
	enum expect_when when;
	char fact[SPEC_NAME]; /* "rescued" and so on, see holds(); or "" and … */
	unsigned session, step;
	int result; /* a cell's value, SIM_SIGBUS, or an error */
	char text[72];
};

/** Where a task is left: it has come to this point so many times. */
struct stop {
	char task[SPEC_NAME];
	char point[SPEC_NAME];
	unsigned times;
};

struct permutation {
	unsigned nstops;
	struct stop stops[SPEC_STOPS];
};

struct spec {
	unsigned npages;
	struct sim_config config;
	bool verify;
	unsigned flush_age_ms; /* of the write-back cache's flusher; 0: never */
	unsigned preemptions;  /* at most so many, when permutations are generated */
	struct session setup;
	unsigned nsessions;
	struct session sessions[SPEC_SESSIONS];
	unsigned nexpectations;
	struct expectation expectations[SPEC_EXPECTATIONS];
	unsigned npermutations;
	struct permutation permutations[SPEC_PERMUTATIONS];
	uint8_t next_value;
};

/**
 * @param text     any bytes, ending with a zero
 * @param ret_why  what is wrong, with the line, if something is
 * @return 0 or -EINVAL
 */
int spec_parse(const char *text, struct spec *ret_spec, char ret_why[128]);

/** "mapper:fault_found op:closed*2" @return 0 or -EINVAL */
int permutation_parse(const char *text, struct permutation *ret_permutation);

#endif
