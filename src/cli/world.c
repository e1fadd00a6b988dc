#include "cli/world.h"

#include <stdlib.h>

#include "state/commit.h"
#include "store/memkv.h"

#define JOURNAL_MAX ((usize)1 << 30)

struct kl_world {
    struct kl_kv *kv;
    struct kl_state *state;
    struct kl_journal *journal; /* for the genesis */
};

kl_status kl_world_new(struct kl_world **out)
{
    struct kl_world *world = calloc(1, sizeof *world);
    if (!world)
        return KL_NOMEM;
    kl_status status = kl_memkv_open(&world->kv, KL_TABLE_COUNT);
    if (status == KL_OK) {
        kl_state_config config = {.kv = world->kv};
        status = kl_state_open(&world->state, &config);
    }
    if (status == KL_OK) {
        kl_journal_config config = {.memory_limit = JOURNAL_MAX};
        status = kl_journal_new(&world->journal, &config);
    }
    if (status != KL_OK) {
        kl_world_free(world);
        return status;
    }
    *out = world;
    return KL_OK;
}

void kl_world_free(struct kl_world *world)
{
    if (!world)
        return;
    kl_journal_free(world->journal);
    kl_state_close(world->state);
    if (world->kv)
        kl_kv_close(world->kv);
    free(world);
}

static kl_status put_account(struct kl_journal *journal, const kl_alloc *alloc)
{
    kl_jaccount *account;
    KL_TRY(kl_journal_account(journal, &alloc->address, &account));
    kl_journal_set_balance(journal, account, alloc->balance);
    kl_journal_set_nonce(journal, account, alloc->nonce);
    if (alloc->code.len)
        KL_TRY(kl_journal_set_code(journal, account, alloc->code, NULL));
    for (usize i = 0; i < alloc->slot_count; i++) {
        kl_u256 key = kl_u256_from_hash(&alloc->keys[i]);
        kl_jslot *slot;
        bool cold;
        KL_TRY(kl_journal_slot(journal, account, &key, &slot, &cold));
        kl_journal_set_slot(journal, account, slot, &alloc->values[i]);
    }
    return KL_OK;
}

static kl_status fill(struct kl_world *world, const kl_alloc *alloc, usize count,
                      struct kl_view *view, struct kl_delta_builder *builder, bool preimages,
                      struct kl_arena *scratch, kl_hash *root)
{
    struct kl_view_reader reader;
    kl_view_reader_init(&reader, view);
    kl_journal_begin_block(world->journal, &reader.reader);
    kl_journal_begin_tx(world->journal);
    for (usize i = 0; i < count; i++)
        KL_TRY(put_account(world->journal, &alloc[i]));
    KL_TRY(kl_journal_end_tx(world->journal, false));
    return kl_state_commit(world->journal, view, builder, preimages, root, scratch, NULL);
}

kl_status kl_world_genesis(struct kl_world *world, const kl_alloc *alloc, usize count,
                           bool preimages, struct kl_arena *scratch, struct kl_delta **out,
                           kl_hash *root)
{
    struct kl_view *view;
    struct kl_delta_builder *builder;
    KL_TRY(kl_state_view(world->state, NULL, &view));
    kl_status status = kl_delta_begin(&builder, NULL, 0);
    if (status == KL_OK) {
        status = fill(world, alloc, count, view, builder, preimages, scratch, root);
        if (status == KL_OK)
            status = kl_delta_seal(builder, out);
        else
            kl_delta_drop(builder);
    }
    kl_view_close(view);
    return status;
}

kl_status kl_world_view(struct kl_world *world, struct kl_delta *delta, struct kl_view **out)
{
    return kl_state_view(world->state, delta, out);
}
