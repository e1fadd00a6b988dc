#include "chain/fill_world_priv.h"

#include "base/test.h"
#include "sim/disk.h"

kl_chain_config fill_world_config(const struct bft_world *own)
{
    return (kl_chain_config){
        .fs = kl_sim_disk_fs(own->disk), .kv = own->kv, .segment_bytes = 1 << 20, .tests = true};
}

struct kl_fill *fill_world_open(struct bft_world *own, u64 note_len)
{
    struct kl_fill *fill;
    kl_chain_config config = fill_world_config(own);
    kl_chain_report report;
    kl_span note;
    CHECK_OK(kl_fill_open(&fill, &config, &note, &report));
    CHECK_U64(note.len, note_len);
    return fill;
}

kl_rule fill_world_take(struct bft_world *own, struct kl_fill *fill, struct kl_reader *reader,
                        u64 number)
{
    kl_span record, finalization;
    kl_rule broken;
    CHECK_OK(kl_reader_record(reader, number, &own->arena, &record, &finalization));
    CHECK_OK(kl_fill_take(fill, record, finalization, &broken));
    return broken;
}

static void fill_storage(struct bft_world *own, struct kl_fill *fill, struct kl_view *view,
                         const kl_state_want *want)
{
    kl_hash first = {{0}}, last;
    kl_trie_range range;
    kl_span code;
    memset(&last, 0xff, sizeof last);
    if (want->code) {
        CHECK_OK(kl_view_code(view, &want->code_hash, &code));
        CHECK_OK(kl_state_fill_code(kl_fill_state(fill), &want->code_hash, code));
    }
    CHECK_OK(kl_trie_prove_range(&range, &want->account, &first, 1000, SIZE_MAX,
                                 kl_view_tries(view), &own->arena));
    CHECK(range.complete);
    CHECK_OK(kl_state_fill_range(kl_fill_state(fill), &want->account, &first, &last, range.leaves,
                                 range.count));
}

void fill_world_state(struct bft_world *own, struct kl_fill *fill, struct kl_view *view)
{
    kl_hash first = {{0}}, last;
    kl_trie_range range;
    bool found = true;
    memset(&last, 0xff, sizeof last);
    CHECK_OK(kl_trie_prove_range(&range, NULL, &first, 1000, SIZE_MAX, kl_view_tries(view),
                                 &own->arena));
    CHECK(range.complete);
    CHECK_OK(
        kl_state_fill_range(kl_fill_state(fill), NULL, &first, &last, range.leaves, range.count));
    while (found) {
        kl_state_want want;
        memset(&last, 0xff, sizeof last);
        CHECK_OK(kl_state_fill_next(kl_fill_state(fill), &first, &last, &found, &want));
        if (found)
            fill_storage(own, fill, view, &want);
    }
}

void fill_world(struct bft_world *own, struct bft_world *peer)
{
    struct kl_reader *reader;
    bool good;
    kl_chain_close(own->chain);
    own->chain = NULL;
    struct kl_fill *fill = fill_world_open(own, 0);
    CHECK_OK(kl_reader_open(peer->chain, &reader));
    kl_fill_head at;
    kl_fill_head_of(fill, &at);
    for (u64 number = at.height + 1; number <= kl_reader_tip(reader)->header.number; number++)
        CHECK_RULE(fill_world_take(own, fill, reader, number), KL_RULE_NONE);
    CHECK_OK(kl_fill_keep(fill, KL_SPAN_NONE));
    fill_world_state(own, fill, kl_reader_view(reader));
    CHECK_OK(kl_fill_end(fill, &good));
    CHECK(good);
    kl_fill_close(fill);
    kl_reader_close(reader);
    CHECK_OK(bft_world_try_open(own, true));
}

void fill_world_grow(struct bft_world *own, struct bft_world *peer)
{
    struct kl_tip *head = kl_chain_head(peer->chain), *mine = kl_chain_head(own->chain), *copy;
    CHECK(kl_hash_eq(&head->hash, &mine->hash));
    CHECK(kl_hash_eq(&head->epoch->set.hash, &mine->epoch->set.hash));
    struct kl_tip *tip = bft_world_build(peer, head, 2, 300);
    CHECK_RULE(bft_world_judge(own, mine, bft_world_body(own, tip), &copy), KL_RULE_NONE);
    bft_world_take(own, copy, true);
    bft_world_take(peer, tip, true);
    kl_tip_unref(head);
    kl_tip_unref(mine);
}
