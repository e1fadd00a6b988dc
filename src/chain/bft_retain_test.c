/* Old blocks of a chain whose validators vote go; epochs that began before the ledger does are
 * known from the state, and their signatures are judged all the same. */
#include "base/test.h"
#include "chain/bft_world_priv.h"
#include "chain/reader.h"

enum { SEGMENT = 16 << 10 };

static void begin(struct bft_world *w, u8 scheme, u64 epoch_blocks)
{
    bft_world_init(w, scheme, 4, epoch_blocks);
    w->segment_bytes = SEGMENT;
    w->keep_blocks = w->keep_history = 5;
    bft_world_begin(w);
}

static void check_epochs(struct bft_world *w, u64 last)
{
    struct kl_reader *reader;
    struct kl_arena arena;
    kl_span set;
    kl_finality finality;
    struct kl_tip *head = kl_chain_head(w->chain);
    kl_arena_init(&arena, 1 << 26);
    CHECK_OK(kl_reader_open(w->chain, &reader));
    u64 oldest = kl_reader_oldest_block(reader), top = head->header.number;
    for (u64 epoch = 0; epoch <= last; epoch++)
        CHECK_OK(kl_reader_validators(reader, epoch, &arena, &set));
    CHECK(kl_reader_validators(reader, last + 1, &arena, &set) == KL_NOTFOUND);
    CHECK_U64(head->epoch->number, last);
    for (u64 n = 1; n <= top; n++)
        CHECK(kl_reader_finality(reader, n, &arena, &finality) ==
              (n < oldest ? KL_NOTFOUND : KL_OK));
    kl_reader_close(reader);
    kl_arena_done(&arena);
    kl_tip_unref(head);
}

KL_TEST(bft_retention_keeps_epochs)
{
    for (usize i = 0; i < 2; i++) {
        struct bft_world w;
        kl_verify_result result;
        begin(&w, bft_world_schemes[i], i ? 16 : 7);
        for (usize n = 1; n <= 60; n++) {
            bft_world_grow(&w, 1);
            bft_world_flush(&w);
            if (n % 9 == 0)
                bft_world_reopen(&w, n % 2);
            if (n % 20 == 0) {
                check_epochs(&w, n / w.epoch_blocks);
                bft_world_verify(&w, &result);
                CHECK(result.good && result.head.number == n);
            }
        }
        CHECK(kl_seglog_first(w.chain->ledger) > 1 && result.unexecuted > 0);
        bft_world_done(&w);
    }
}

/* Certificates whose signatures do not hold, in an epoch that began before the ledger does. */
KL_TEST(bft_retention_hides_no_bad_signature)
{
    struct bft_world w;
    kl_verify_result result;
    begin(&w, KL_SCHEME_KEYED_HASH, 1000);
    for (usize n = 1; n <= 60; n++) {
        struct kl_tip *head = kl_chain_head(w.chain), *tip = bft_world_build(&w, head, 2, 100);
        const kl_vote_subject subject = {KL_VOTE_FINALIZE, bft_world_proposal(tip)};
        kl_certificate bad = bft_world_certificate(&w, &subject, &head->epoch->set);
        u8 *signatures = KL_TAKE(&w.arena, u8, bad.signatures.len);
        CHECK(signatures);
        memcpy(signatures, bad.signatures.p, bad.signatures.len);
        signatures[5] ^= 4;
        bad.signatures.p = signatures;
        CHECK_OK(kl_chain_append_final(w.chain, tip, &bad));
        CHECK_OK(kl_chain_write(w.chain));
        CHECK_OK(kl_chain_sync(w.chain));
        kl_chain_publish(w.chain, true, NULL, NULL);
        bft_world_flush(&w);
        kl_tip_unref(tip);
        kl_tip_unref(head);
    }
    u64 first = kl_seglog_first(w.chain->ledger);
    CHECK(first > 1);
    bft_world_verify(&w, &result);
    CHECK(!result.good && result.bad_version == first && result.bad_block == first);
    CHECK_RULE(result.rule, KL_RULE_CERTIFICATE_SIGNATURE);
    bft_world_done(&w);
}

/* A pinned block that is dropped cannot be compared, which is told; one that is kept is. */
KL_TEST(bft_retention_tells_that_a_pinned_block_is_gone)
{
    struct bft_world w;
    begin(&w, KL_SCHEME_KEYED_HASH, 7);
    for (usize n = 1; n <= 60; n++) {
        bft_world_grow(&w, 1);
        bft_world_flush(&w);
    }
    u64 first = kl_seglog_first(w.chain->ledger);
    CHECK(first > 1);
    w.pin = (kl_pin){first - 1, {.b = {1}}};
    bft_world_reopen(&w, false);
    CHECK_U64(w.report.pin_kept, first);
    kl_chain_close(w.chain);
    w.chain = NULL;
    w.pin.number = first;
    CHECK(bft_world_try_open(&w, true) == KL_UNSUPPORTED);
    CHECK(w.report.off_pin && w.report.pin_kept == 0);
    w.pin.hash = w.report.found;
    CHECK_OK(bft_world_try_open(&w, true));
    CHECK_U64(w.report.pin_kept, 0);
    bft_world_done(&w);
}
