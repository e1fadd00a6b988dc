/* A chain whose validators vote: what is built is what is judged, through epochs and restarts, and
 * what a leader may not say. */
#include <stdio.h>

#include "base/test.h"
#include "chain/bft_world_priv.h"
#include "chain/reader.h"
#include "codec/hex.h"
#include "crypto/keccak.h"

static void begin(struct bft_world *w, u8 scheme, u32 count, u64 epoch_blocks)
{
    bft_world_init(w, scheme, count, epoch_blocks);
    bft_world_begin(w);
}

KL_TEST(bft_genesis_binds_what_was_agreed_on)
{
    kl_hash seen[3];
    for (usize i = 0; i < 3; i++) {
        struct bft_world w;
        begin(&w, bft_world_schemes[i], 4, 5);
        struct kl_tip *head = kl_chain_head(w.chain);
        const kl_consensus_header *h = &head->consensus;
        kl_hash hash = kl_consensus_header_hash(h);
        CHECK(h->is_genesis && h->time_ms == 1000000 && head->header.extra_len == 32);
        CHECK(memcmp(hash.b, head->header.extra_data, 32) == 0);
        CHECK(kl_hash_eq(&h->next_set_hash, &head->epoch->set.hash));
        CHECK(head->epoch->number == 0 && head->epoch->first_height == 1);
        CHECK(head->epoch->last_height == 5 && head->epoch->set.count == 4);
        kl_proposal floor = kl_tip_floor(head);
        CHECK(floor.epoch == 0 && floor.view == 0 && floor.height == 0);
        CHECK(kl_hash_eq(&floor.block_hash, &head->hash));
        CHECK(kl_hash_eq(&floor.block_hash, kl_chain_genesis_hash(w.chain)));
        seen[i] = head->hash;
        CHECK(i == 0 || !kl_hash_eq(&seen[i], &seen[i - 1]));
        kl_tip_unref(head);
        bft_world_done(&w);
    }
}

/* The file's own extraData is the right one or a fault; every member of config.keel.bft counts. */
KL_TEST(bft_genesis_faults)
{
    struct bft_world w;
    begin(&w, KL_SCHEME_KEYED_HASH, 3, 5);
    kl_hash genesis = *kl_chain_genesis_hash(w.chain);
    kl_hash extra = kl_consensus_header_hash(&w.chain->first_consensus);
    bft_world_done(&w);
    char digits[65] = {0}, text[96];
    kl_hex_digits(digits, kl_hash_span(&extra));
    snprintf(text, sizeof text, ",\"extraData\":\"0x%s\"", digits);
    for (usize i = 0; i < 2; i++) {
        bft_world_init(&w, KL_SCHEME_KEYED_HASH, 3, i ? 6 : 5);
        w.more = text;
        kl_status status = bft_world_try_open(&w, true);
        if (i) {
            CHECK(status == KL_UNSUPPORTED);
            CHECK_RULE(w.report.genesis.rule, KL_RULE_CONSENSUS_HASH);
            CHECK(strcmp(w.report.genesis.where, "extraData") == 0);
        } else {
            CHECK_OK(status);
            CHECK(kl_hash_eq(&genesis, kl_chain_genesis_hash(w.chain)));
        }
        bft_world_done(&w);
    }
    static const struct {
        u8 scheme, damaged;
        bool tests;
        kl_rule rule;
        const char *where;
    } cases[] = {
        {KL_SCHEME_KEYED_HASH, 0, false, KL_RULE_VALSET_SCHEME, "config.keel.bft.scheme"},
        {KL_SCHEME_BLS12_381, 1, false, KL_RULE_VALSET_KEY, "config.keel.bft.validators.2"},
        {KL_SCHEME_BLS12_381, 2, false, KL_RULE_VALSET_RANDAO_KEY, "config.keel.bft.validators.2"},
        {KL_SCHEME_SECP256K1, 2, true, KL_RULE_VALSET_RANDAO_KEY, "config.keel.bft.validators.2"},
    };
    for (usize i = 0; i < KL_COUNT_OF(cases); i++) {
        bft_world_init(&w, cases[i].scheme, 3, 5);
        w.damaged_proof = cases[i].damaged;
        CHECK(bft_world_try_open(&w, cases[i].tests) == KL_UNSUPPORTED);
        CHECK_RULE(w.report.genesis.rule, cases[i].rule);
        CHECK(strcmp(w.report.genesis.where, cases[i].where) == 0);
        bft_world_done(&w);
    }
    bft_world_init(&w, KL_SCHEME_KEYED_HASH, 3, 5);
    w.validator[2].operator.b[19] = w.validator[0].operator.b[19];
    CHECK(bft_world_try_open(&w, true) == KL_UNSUPPORTED);
    CHECK_RULE(w.report.genesis.rule, KL_RULE_VALSET_TWICE);
    CHECK(strcmp(w.report.genesis.where, "config.keel.bft.validators") == 0);
    bft_world_done(&w);
}

static void check_block(struct bft_world *w, const struct kl_tip *parent, const struct kl_tip *tip)
{
    const kl_header *h = &tip->header;
    const kl_consensus_header *c = &tip->consensus;
    kl_hash extra = kl_consensus_header_hash(c);
    kl_hash mix = kl_randao_mix(&parent->header.mix_hash, c->randao_proof);
    bool anchor = h->number % w->epoch_blocks == 0;
    CHECK(memcmp(h->extra_data, extra.b, 32) == 0 && h->extra_len == 32);
    CHECK(kl_hash_eq(&h->mix_hash, &mix));
    CHECK(memcmp(h->parent_beacon_root.b, parent->header.extra_data, 32) == 0);
    CHECK(h->timestamp == c->time_ms / 1000 && c->time_ms > parent->consensus.time_ms);
    CHECK(c->epoch == (h->number - 1) / w->epoch_blocks && c->fork_signal == 5);
    CHECK(c->parent_view == kl_tip_floor(parent).view);
    CHECK(kl_hash_is_zero(&c->next_set_hash) == !anchor);
    CHECK(tip->epoch->number == c->epoch + anchor);
    kl_proposal floor = kl_tip_floor(tip), proposal = bft_world_proposal(tip);
    if (anchor)
        CHECK(floor.epoch == c->epoch + 1 && floor.view == 0 && floor.height == h->number);
    else
        CHECK(kl_proposal_eq(&floor, &proposal));
}

/* Builds a block, and judges its body: the record is the same. */
static void grow_one(struct bft_world *w, usize count)
{
    struct kl_tip *head = kl_chain_head(w->chain), *judged;
    struct kl_tip *tip = bft_world_build(w, head, count, 400);
    kl_span bytes = bft_world_body(w, tip);
    kl_body body;
    CHECK_RULE(kl_body_decode(&body, bytes), KL_RULE_NONE);
    CHECK(kl_hash_eq(&body.hash, &tip->hash) && body.header.number == tip->header.number);
    CHECK_U64(body.consensus_header.view, tip->consensus.view);
    CHECK_RULE(bft_world_judge(w, head, bytes, &judged), KL_RULE_NONE);
    CHECK(kl_span_eq(kl_buf_view(&judged->record), kl_buf_view(&tip->record)));
    check_block(w, head, judged);
    kl_tip_unref(tip);
    bool last = head->header.number + 1 == head->epoch->last_height;
    bft_world_take(w, judged, last || count != 1);
    kl_tip_unref(head);
}

static void check_readers(struct bft_world *w, u64 top)
{
    struct kl_reader *reader;
    struct kl_arena arena;
    kl_finality f;
    kl_body body;
    kl_span bytes;
    kl_stored_block block;
    const kl_vote_domain domain = kl_chain_vote_domain(w->chain);
    kl_arena_init(&arena, 1 << 26);
    CHECK_OK(kl_reader_open(w->chain, &reader));
    for (u64 n = 1; n <= top; n++) {
        kl_certificate certificate;
        kl_valset set;
        kl_rule broken;
        kl_span encoded;
        CHECK_OK(kl_reader_body(reader, n, &arena, &bytes));
        CHECK_RULE(kl_body_decode(&body, bytes), KL_RULE_NONE);
        CHECK_OK(kl_reader_block(reader, n, &arena, &block));
        CHECK(kl_span_eq(block.rlp, body.block) && kl_hash_eq(&block.block.hash, &body.hash));
        CHECK_OK(kl_reader_finality(reader, n, &arena, &f));
        CHECK(kl_span_eq(f.consensus_header, body.consensus));
        CHECK_OK(kl_reader_validators(reader, body.consensus_header.epoch, &arena, &encoded));
        CHECK_OK(kl_valset_decode(&set, encoded, true, &arena, &broken));
        CHECK_RULE(broken, KL_RULE_NONE);
        if (f.finalization.len == 0) {
            CHECK(n % w->epoch_blocks);
            continue;
        }
        CHECK_RULE(kl_certificate_decode(&certificate, f.finalization), KL_RULE_NONE);
        CHECK_RULE(kl_certificate_check(&certificate, &set, &domain), KL_RULE_NONE);
        CHECK(kl_hash_eq(&certificate.subject.proposal.block_hash, &body.hash));
    }
    CHECK_OK(kl_reader_finality(reader, 0, &arena, &f));
    CHECK(f.consensus_header.len && !f.finalization.len);
    kl_consensus_header zero;
    CHECK_RULE(kl_consensus_header_decode(&zero, f.consensus_header), KL_RULE_NONE);
    CHECK(kl_reader_finality(reader, top + 1, &arena, &f) == KL_NOTFOUND);
    CHECK(kl_reader_body(reader, 0, &arena, &bytes) == KL_NOTFOUND);
    CHECK(kl_reader_body(reader, top + 1, &arena, &bytes) == KL_NOTFOUND);
    CHECK(kl_reader_validators(reader, top / w->epoch_blocks + 1, &arena, &bytes) == KL_NOTFOUND);
    kl_reader_close(reader);
    kl_arena_done(&arena);
}

KL_TEST(bft_blocks_through_epochs_and_restarts)
{
    for (usize i = 0; i < 3; i++) {
        struct bft_world w;
        kl_verify_result result;
        u64 top = 0, blocks = i ? 7 : 23;
        begin(&w, bft_world_schemes[i], 4, 4);
        for (; top < blocks; top++) {
            w.gap = top % 5 == 4 ? 3 : 0;
            grow_one(&w, top % 3);
            if (top % 4 == 1)
                bft_world_flush(&w);
            if (top % 3 == 2) {
                struct kl_tip *before = kl_chain_head(w.chain), *after;
                bft_world_reopen(&w, top % 2);
                after = kl_chain_head(w.chain);
                CHECK(kl_hash_eq(&before->hash, &after->hash));
                CHECK(memcmp(&before->consensus, &after->consensus, sizeof after->consensus) == 0);
                CHECK(after->epoch->number == before->epoch->number);
                CHECK(kl_hash_eq(&after->epoch->set.hash, &before->epoch->set.hash));
                kl_tip_unref(before);
                kl_tip_unref(after);
            }
        }
        check_readers(&w, top);
        bft_world_verify(&w, &result);
        CHECK(result.good && result.blocks == blocks && result.head.number == blocks);
        bft_world_done(&w);
    }
}

/* Candidates of several views on one parent, and on parents that are not appended: one wins, the
 * others go whenever they go. */
KL_TEST(bft_losing_candidates_go_in_any_order)
{
    for (usize round = 0; round < 40; round++) {
        struct bft_world w;
        kl_verify_result result;
        struct kl_tip *tips[2 * 3 + 3], *head;
        usize count = 0;
        begin(&w, KL_SCHEME_KEYED_HASH, 4, 4);
        if (kl_rand_below(seed, 2)) {
            bft_world_grow(&w, 1 + kl_rand_below(seed, 3));
            bft_world_reopen(&w, kl_rand_below(seed, 2));
        }
        head = kl_chain_head(w.chain);
        struct kl_tip *parent = head;
        for (usize height = 0; height < 2; height++) {
            usize winner = count + kl_rand_below(seed, 3);
            for (usize i = 0; i < 3; i++) {
                w.gap = i;
                u64 nonce = w.nonce;
                struct kl_tip *built = bft_world_build(&w, parent, i, 500);
                w.nonce = nonce;
                CHECK_RULE(bft_world_judge(&w, parent, bft_world_body(&w, built), &tips[count]),
                           KL_RULE_NONE);
                CHECK(kl_hash_eq(&built->hash, &tips[count]->hash));
                count++;
                kl_tip_unref(built);
            }
            parent = tips[winner];
            w.nonce += winner - 3 * height;
        }
        struct kl_tip *first = tips[0], *second = parent;
        for (usize i = 0; i < 3; i++)
            if (kl_hash_eq(&tips[i]->hash, &second->header.parent_hash))
                first = tips[i];
        w.gap = 0;
        for (usize depth = 0; depth < 3; depth++) { /* deeper, on what is not appended */
            tips[count] = bft_world_build(&w, parent, 1, 500);
            parent = tips[count++];
        }
        for (usize i = 0; i < count; i++) { /* some go before anything is decided */
            if (tips[i] == first || tips[i] == second || kl_rand_below(seed, 3))
                continue;
            kl_tip_unref(tips[i]);
            tips[i] = NULL;
        }
        bft_world_take(&w, kl_tip_ref(first), true);
        if (kl_rand_below(seed, 2))
            bft_world_flush(&w);
        bft_world_take(&w, kl_tip_ref(second), true);
        bool flushed = kl_rand_below(seed, 2);
        if (flushed)
            bft_world_flush(&w);
        while (count) { /* the rest in any order; nothing can stand on a loser any more */
            usize i = kl_rand_below(seed, count);
            struct kl_tip *tip = tips[i];
            struct kl_view *view;
            tips[i] = tips[--count];
            if (tip && flushed) {
                bool lost = tip->version <= second->version && tip != first && tip != second;
                kl_status status = kl_chain_view(w.chain, tip, &view);
                CHECK(status == (lost ? KL_CANCELED : KL_OK));
                if (status == KL_OK)
                    kl_view_close(view);
            }
            if (tip != first && tip != second)
                kl_tip_unref(tip);
        }
        kl_tip_unref(first);
        kl_tip_unref(second);
        kl_tip_unref(head);
        bft_world_refresh(&w);
        bft_world_grow(&w, 5);
        bft_world_flush(&w);
        bft_world_verify(&w, &result);
        CHECK(result.good);
        bft_world_done(&w);
    }
}
