/* SPDX-License-Identifier: MIT */
/*
 * LMDB through a writable shared mapping (MDB_WRITEMAP): three processes fill it, with
 * their transactions mixed; then everything is read back and counted.
 *
 *	lmdb_fill [TRANSACTIONS]
 */

#include <inttypes.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WRITERS	 3
#define PER_TXN	 50
#define MAP_SIZE ((size_t)256 << 20)

static void must(int error, const char *what)
{
	if (error) {
		fprintf(stderr, "%s: %s\n", what, mdb_strerror(error));
		exit(1);
	}
}

static MDB_env *open_environment(void)
{
	MDB_env *env;

	must(mdb_env_create(&env), "mdb_env_create");
	must(mdb_env_set_mapsize(env, MAP_SIZE), "mdb_env_set_mapsize");
	must(mdb_env_open(env, "lmdb", MDB_WRITEMAP, 0644), "mdb_env_open");
	return env;
}

/* The value of a key: its own text, again and again. */
static void value_of(uint32_t key, char *value, size_t len)
{
	char text[16];

	snprintf(text, sizeof(text), "%08" PRIu32 ";", key);
	for (size_t i = 0; i < len; i++)
		value[i] = text[i % 9];
}

static size_t value_length(uint32_t key)
{
	return 20 + key * 2654435761u % 3000;
}

static void put_one(MDB_txn *txn, MDB_dbi dbi, uint32_t number)
{
	char value[4096];
	MDB_val key = {sizeof(number), &number}, data;

	data = (MDB_val){value_length(number), value};
	value_of(number, value, data.mv_size);
	must(mdb_put(txn, dbi, &key, &data, 0), "mdb_put");
}

static void write_share(unsigned writer, unsigned transactions)
{
	MDB_env *env = open_environment();

	for (unsigned t = 0; t < transactions; t++) {
		MDB_txn *txn;
		MDB_dbi dbi;

		must(mdb_txn_begin(env, NULL, 0, &txn), "mdb_txn_begin");
		must(mdb_dbi_open(txn, NULL, MDB_INTEGERKEY, &dbi), "mdb_dbi_open");
		for (unsigned i = 0; i < PER_TXN; i++)
			put_one(txn, dbi, (t * PER_TXN + i) * WRITERS + writer);
		must(mdb_txn_commit(txn), "mdb_txn_commit");
	}
	mdb_env_close(env);
}

static void check_one(const MDB_val *key, const MDB_val *data, uint32_t expected)
{
	char value[4096];
	uint32_t number;

	memcpy(&number, key->mv_data, sizeof(number));
	value_of(number, value, value_length(number));
	if (number != expected || data->mv_size != value_length(number) ||
	    memcmp(data->mv_data, value, data->mv_size) != 0) {
		fprintf(stderr, "key %" PRIu32 " is wrong, expected %" PRIu32 "\n",
			number, expected);
		exit(1);
	}
}

static void check_all(unsigned transactions)
{
	MDB_env *env = open_environment();
	MDB_val key, data;
	MDB_cursor *cursor;
	MDB_txn *txn;
	MDB_dbi dbi;
	uint32_t n = 0;

	must(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), "mdb_txn_begin");
	must(mdb_dbi_open(txn, NULL, MDB_INTEGERKEY, &dbi), "mdb_dbi_open");
	must(mdb_cursor_open(txn, dbi, &cursor), "mdb_cursor_open");
	while (mdb_cursor_get(cursor, &key, &data, MDB_NEXT) == 0)
		check_one(&key, &data, n++);
	mdb_cursor_close(cursor);
	mdb_txn_abort(txn);
	mdb_env_close(env);
	if (n != transactions * PER_TXN * WRITERS) {
		fprintf(stderr, "%" PRIu32 " keys, expected %u\n", n,
			transactions * PER_TXN * WRITERS);
		exit(1);
	}
	printf("%" PRIu32 " keys are right\n", n);
}

int main(int argc, char **argv)
{
	const unsigned transactions = argc > 1 ? (unsigned)atoi(argv[1]) : 60;
	const char *dir = getenv("FOLDFS_TEST_DIR");
	int failed = 0, status;

	if (!dir || chdir(dir) == -1 || mkdir("lmdb", 0755) == -1) {
		perror("FOLDFS_TEST_DIR");
		return 1;
	}
	for (unsigned writer = 0; writer < WRITERS; writer++)
		if (fork() == 0) {
			write_share(writer, transactions);
			exit(0);
		}
	while (wait(&status) > 0)
		failed |= status;
	if (failed)
		return 1;
	check_all(transactions);
	return 0;
}
