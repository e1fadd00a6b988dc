/* vectors_test: reads the precompile vectors of the fixture pack: files of flat JSON objects with
 * "Name", "Input" and "Expected" or "ExpectedError".  The pack lies in the folder that
 * KEEL_FIXTURES names, else in `fixtures` beside the test program; where it is absent the test is
 * skipped. */
#ifndef KL_CRYPTO_VECTORS_TEST_PRIV_H
#define KL_CRYPTO_VECTORS_TEST_PRIV_H

#include "base/test.h"

struct kl_vector {
    char name[128];
    kl_span input, expected; /* views of the reader's memory, good until the next vector */
    bool fails;              /* has an "ExpectedError" */
};

/* Opens a file of the pack by its path there; one at a time. */
void kl_vectors_open(const char *path);

/* The next vector; false at the end, which fails the test when there was none at all. */
bool kl_vectors_next(struct kl_vector *out);

/* The text of a file of the pack, NUL-terminated, or NULL where there is no such file; good until
 * the next call. */
const char *kl_vectors_text(const char *path);

/* The names in a folder of the pack, in any order: start with its path, go on with NULL; NULL at
 * the end. */
const char *kl_vectors_folder(const char *path);

#endif
