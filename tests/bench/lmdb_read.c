/* SPDX-License-Identifier: MIT */
/*
 * LMDB: fill an environment, then read keys at random through its mapping.
 *
 *   bench-lmdb fill DIRECTORY KEYS
 *   bench-lmdb read DIRECTORY KEYS COUNT      prints a line of JSON
 */

#include <err.h>
#include <inttypes.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAP_SIZE    ((size_t)1 << 30)
#define VALUE_BYTES 200

static void must(int error, const char *what)
{
	if (error)
		errx(1, "%s: %s", what, mdb_strerror(error));
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static MDB_txn *begin(const char *directory, unsigned flags, MDB_env **ret_env,
		      MDB_dbi *ret_dbi)
{
	MDB_txn *txn;

	must(mdb_env_create(ret_env), "mdb_env_create");
	must(mdb_env_set_mapsize(*ret_env, MAP_SIZE), "mdb_env_set_mapsize");
	must(mdb_env_open(*ret_env, directory, flags, 0644), directory);
	must(mdb_txn_begin(*ret_env, NULL, flags & MDB_RDONLY, &txn), "mdb_txn_begin");
	must(mdb_dbi_open(txn, NULL, 0, ret_dbi), "mdb_dbi_open");
	return txn;
}

static void fill(const char *directory, uint64_t keys)
{
	char bytes[VALUE_BYTES] = {0};
	MDB_env *env;
	MDB_dbi dbi;
	MDB_txn *txn = begin(directory, 0, &env, &dbi);

	for (uint64_t i = 0; i < keys; i++) {
		const uint64_t big_endian = __builtin_bswap64(i);
		MDB_val key = {sizeof(big_endian), (void *)(uintptr_t)&big_endian};
		MDB_val value = {sizeof(bytes), bytes};

		must(mdb_put(txn, dbi, &key, &value, MDB_APPEND), "mdb_put");
	}
	must(mdb_txn_commit(txn), "mdb_txn_commit");
	mdb_env_close(env);
}

static void read_keys(const char *directory, uint64_t keys, uint64_t count)
{
	uint64_t random = 1, sum = 0, begin_ns;
	MDB_env *env;
	MDB_dbi dbi;
	MDB_txn *txn = begin(directory, MDB_RDONLY, &env, &dbi);

	begin_ns = now_ns();
	for (uint64_t i = 0; i < count; i++) {
		uint64_t big_endian;
		MDB_val key = {sizeof(big_endian), &big_endian}, value;

		random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
		big_endian = __builtin_bswap64((random >> 20) % keys);
		must(mdb_get(txn, dbi, &key, &value), "mdb_get");
		sum += *(unsigned char *)value.mv_data;
	}
	printf("{\"count\": %" PRIu64 ", \"ns\": %" PRIu64 ", \"sum\": %" PRIu64 "}\n",
	       count, now_ns() - begin_ns, sum);
	mdb_txn_abort(txn);
	mdb_env_close(env);
}

int main(int argc, char *argv[])
{
	if (argc == 4 && strcmp(argv[1], "fill") == 0)
		fill(argv[2], strtoull(argv[3], NULL, 0));
	else if (argc == 5 && strcmp(argv[1], "read") == 0)
		read_keys(argv[2], strtoull(argv[3], NULL, 0),
			  strtoull(argv[4], NULL, 0));
	else
		errx(2, "usage: bench-lmdb fill DIRECTORY KEYS | "
			"read DIRECTORY KEYS COUNT");
	return 0;
}
