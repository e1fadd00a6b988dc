/* fuzz_gen: random state tests that mean something: contracts that call one another, create,
 * destroy, store and run the built-in contracts, under every type of transaction, with gas that
 * just suffices and gas that just does not.
 *
 * A seed and a fork determine a test.  Thread: one at a time. */
#ifndef KL_CLI_FUZZ_GEN_H
#define KL_CLI_FUZZ_GEN_H

#include "base/rand.h"
#include "cli/fuzz_case.h"

enum { KL_FUZZ_CONTRACTS = 6, KL_FUZZ_OWNERS = 3, KL_FUZZ_PLACES = 40 };

struct kl_fuzz {
    u64 rand;
    kl_fork fork;
    kl_statebench *bench;
    struct kl_arena *arena;
    kl_address contract[KL_FUZZ_CONTRACTS];
    usize contracts, self;            /* the one whose code is being made */
    usize tight;                      /* one whose code takes just what such a call gives, or 0 */
    u64 allowance;                    /* the gas it is called with, on top of the stipend */
    kl_address owner[KL_FUZZ_OWNERS]; /* accounts with a key that may be delegated [EIP-7702] */
    kl_secret32 owner_key[KL_FUZZ_OWNERS];
    kl_address sender;
    kl_address place[KL_FUZZ_PLACES]; /* all addresses worth naming */
    usize places;
};

/* Random choices. */
static inline u64 kl_fuzz_below(struct kl_fuzz *f, u64 n)
{
    return kl_rand_below(&f->rand, n);
}

static inline bool kl_fuzz_one_in(struct kl_fuzz *f, u64 n)
{
    return kl_rand_below(&f->rand, n) == 0;
}

/* A word that may matter: small, near a power of two, near the top, an address, or anything. */
kl_u256 kl_fuzz_word(struct kl_fuzz *f);
const kl_address *kl_fuzz_place(struct kl_fuzz *f);

/* Code of about `size` steps; init: of a creation, which returns code to deploy. */
KL_MUST_USE kl_status kl_fuzz_code(struct kl_fuzz *f, usize size, bool init, kl_span *out);

/* Code that takes the stipend and f's allowance, or one more, or leaves one. */
KL_MUST_USE kl_status kl_fuzz_tight(struct kl_fuzz *f, kl_span *out);

/* A built-in contract of the fork and an input for it: valid, or valid but for one thing. */
KL_MUST_USE kl_status kl_fuzz_precompile(struct kl_fuzz *f, kl_address *out, kl_span *input);

/* Fills f and *out with the test of this seed; gas limits included, not run with them. */
KL_MUST_USE kl_status kl_fuzz_generate(struct kl_fuzz *f, u64 seed, kl_fork fork,
                                       kl_statebench *bench, struct kl_arena *arena,
                                       kl_fuzz_case *out);

/* What the generated tests reached. */
typedef struct kl_fuzz_reach {
    u64 op[256];
    u64 halt[64];
} kl_fuzz_reach;

/* Sets the gas limits of a case whose first one is ample: what it uses, and what it needs to reach
 * an instruction, of its outermost code or of an inner call's, and each one less. */
KL_MUST_USE kl_status kl_fuzz_gas(struct kl_fuzz *f, kl_fuzz_case *c, kl_fuzz_reach *reach);

#endif
