/* vectors_test: reads the precompile vectors of the fixture pack: files of flat JSON objects with
 * "Name", "Input" and "Expected" or "ExpectedError". */
#ifndef KL_CRYPTO_VECTORS_TEST_PRIV_H
#define KL_CRYPTO_VECTORS_TEST_PRIV_H

#include "base/test.h"

struct kl_vector {
    char name[128];
    kl_span input, expected; /* views of the reader's memory, good until the next vector */
    bool fails;              /* has an "ExpectedError" */
};

/* Opens a file of the pack by its path there, one at a time; skips the test without the pack. */
void kl_vectors_open(const char *path);

/* The next vector; false at the end, which fails the test when there was none at all. */
bool kl_vectors_next(struct kl_vector *out);

#endif
