/* fault_kv: a key-value store over another whose commits can be made to fail, and copies of stores,
 * for the tests. */
#ifndef KL_STATE_FAULT_KV_H
#define KL_STATE_FAULT_KV_H

#include "store/store.h"

enum fault {
    FAULT_NONE,
    FAULT_BEFORE, /* the next commit fails and nothing has happened */
    FAULT_AFTER,  /* the next commit fails and has happened */
    FAULT_PUT,    /* the next change fails */
};

struct fault_kv {
    struct kl_kv kv;
    struct kl_kv *inner;
    enum fault fault;
    /* Called inside a commit, before and after it has happened; may be NULL. */
    void (*inside)(void *ctx);
    void *ctx;
};

void fault_kv_init(struct fault_kv *f, struct kl_kv *inner);

/* A store in memory with the same entries. */
struct kl_kv *kv_copy(struct kl_kv *from, usize table_count);

#endif
