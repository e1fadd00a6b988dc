/* What the ledger keeps of votes: a record that was exchanged for another is found, whichever part
 * of it is wrong, where it is executed again and where it no longer can be. */
#include "base/test.h"
#include "chain/bft_world_priv.h"
#include "chain/reader.h"
#include "sim/disk.h"

enum { RECORDS_MAX = 64 };

struct copy {
    struct kl_arena *arena;
    kl_record record[RECORDS_MAX];
    u64 first, end;
};

static void read_ledger(struct bft_world *w, struct copy *out)
{
    struct kl_seglog *ledger = w->chain->ledger;
    *out = (struct copy){
        .arena = &w->arena, .first = kl_seglog_first(ledger), .end = kl_seglog_end(ledger)};
    CHECK(out->end <= RECORDS_MAX);
    for (u64 v = out->first; v < out->end; v++)
        CHECK_OK(kl_seglog_read(ledger, v, &w->arena, &out->record[v], NULL));
}

/* Judges a ledger of these records, record `at` being another. */
static void verify_with(struct bft_world *w, const struct copy *c, u64 at, u8 kind, kl_span payload,
                        kl_verify_result *out)
{
    struct kl_sim_disk *disk = w->disk;
    struct kl_seglog *log;
    kl_seglog_report report;
    const kl_seglog_config config = {.dir = KL_LEDGER_DIR, .segment_bytes = 1 << 20};
    CHECK_OK(kl_sim_disk_new(&w->disk));
    CHECK_OK(kl_seglog_open(&log, kl_sim_disk_fs(w->disk), &config, &report));
    for (u64 v = c->first; v < c->end; v++) {
        u64 seq;
        kl_span bytes = v == at ? payload : c->record[v].payload;
        CHECK_OK(kl_seglog_append(log, v == at ? kind : c->record[v].kind, &bytes, 1, &seq));
    }
    CHECK_OK(kl_seglog_write(log));
    CHECK_OK(kl_seglog_sync(log));
    kl_seglog_close(log);
    bft_world_verify(w, out);
    kl_sim_disk_free(w->disk);
    w->disk = disk;
}

static void check_rule(struct bft_world *w, const struct copy *c, u64 at, u8 kind, kl_span payload,
                       kl_rule want)
{
    kl_verify_result result;
    verify_with(w, c, at, kind, payload, &result);
    CHECK_RULE(result.rule, want);
    CHECK(result.good == (want == KL_RULE_NONE));
    CHECK(result.good || (result.bad_version == at && result.bad_block == at));
}

/* The record's parts, and one of them with another Finalization. */
static kl_block_record parts_of(const struct copy *c, u64 at)
{
    kl_block_record parts;
    CHECK_RULE(kl_record_block(KL_RECORD_VOTED, c->record[at].payload, &parts), KL_RULE_NONE);
    return parts;
}

static kl_span with_bytes(const struct copy *c, u64 at, kl_span finalization)
{
    kl_span old = c->record[at].payload;
    usize len = old.len - parts_of(c, at).finalization.len;
    u8 *room = KL_TAKE(c->arena, u8, len + finalization.len);
    CHECK(room);
    memcpy(room, old.p, len);
    if (finalization.len)
        memcpy(room + len, finalization.p, finalization.len);
    return kl_span_of(room, len + finalization.len);
}

static kl_span with_certificate(const struct copy *c, u64 at, const kl_certificate *certificate)
{
    u8 *room = KL_TAKE(c->arena, u8, KL_CERTIFICATE_RLP_MAX);
    CHECK(room);
    kl_out out = kl_out_of(room, KL_CERTIFICATE_RLP_MAX);
    kl_certificate_encode(&out, certificate);
    return with_bytes(c, at, kl_out_done(&out));
}

static kl_certificate certificate_of(const struct copy *c, u64 at)
{
    kl_certificate certificate;
    CHECK_RULE(kl_certificate_decode(&certificate, parts_of(c, at).finalization), KL_RULE_NONE);
    return certificate;
}

static void check_finalizations(struct bft_world *w, const struct copy *c, u64 at)
{
    struct kl_tip *head = kl_chain_head(w->chain);
    const kl_valset *set = &head->epoch->set; /* they are all alike */
    kl_certificate own = certificate_of(c, at), bad = own, other = certificate_of(c, at - 1);
    bool last = at % w->epoch_blocks == 0;
    u8 kind = KL_RECORD_VOTED;
    u8 *signatures = KL_TAKE(c->arena, u8, own.signatures.len);
    memcpy(signatures, own.signatures.p, own.signatures.len);
    signatures[own.signatures.len / 2] ^= 1;
    bad.signatures.p = signatures;
    check_rule(w, c, at, kind, with_certificate(c, at, &bad), KL_RULE_CERTIFICATE_SIGNATURE);
    bad = own;
    bad.signers[0] &= (u8)(bad.signers[0] - 1);
    check_rule(w, c, at, kind, with_certificate(c, at, &bad), KL_RULE_CERTIFICATE_WEIGHT);
    bad = own;
    bad.signers[0] |= 0x80;
    check_rule(w, c, at, kind, with_certificate(c, at, &bad), KL_RULE_CERTIFICATE_SIGNERS);
    check_rule(w, c, at, kind, with_certificate(c, at, &other), KL_RULE_CERTIFICATE_BLOCK);
    check_rule(w, c, at, kind, with_bytes(c, at, KL_SPAN_NONE),
               last ? KL_RULE_CERTIFICATE_MISSING : KL_RULE_NONE);
    check_rule(w, c, at, kind, with_bytes(c, at, KL_SPAN_TEXT("\x80")), KL_RULE_RLP_KIND);

    /* Signed by all, but for something else. */
    for (usize i = 0; i < 6; i++) {
        kl_vote_subject subject = own.subject;
        kl_proposal *p = &subject.proposal;
        kl_rule rule = KL_RULE_CERTIFICATE_BLOCK;
        if (i == 0)
            subject.kind = KL_VOTE_NOTARIZE;
        else if (i == 1)
            p->epoch++;
        else if (i == 2)
            p->view++;
        else if (i == 3)
            p->parent_hash.b[0] ^= 1;
        else if (i == 4)
            p->height++;
        else { /* proposed again: as its own parent, in a later view */
            p->parent_view = p->view;
            p->view += 3;
            p->parent_hash = p->block_hash;
            rule = last ? KL_RULE_NONE : KL_RULE_CERTIFICATE_BLOCK;
        }
        bad = bft_world_certificate(w, &subject, set);
        check_rule(w, c, at, kind, with_certificate(c, at, &bad), rule);
    }
    kl_tip_unref(head);
}

KL_TEST(bft_ledger_finalizations_are_judged)
{
    for (usize i = 0; i < 3; i++) {
        struct bft_world w;
        struct copy c;
        bft_world_init(&w, bft_world_schemes[i], 4, 3);
        bft_world_begin(&w);
        bft_world_grow(&w, 5);
        read_ledger(&w, &c);
        check_finalizations(&w, &c, 2);
        check_finalizations(&w, &c, 3); /* the epoch's last */
        bft_world_done(&w);
    }
}

/* Any bit of a record. */
KL_TEST(bft_ledger_damage_is_found_and_named)
{
    struct bft_world w;
    struct copy c;
    kl_verify_result result;
    bft_world_init(&w, KL_SCHEME_KEYED_HASH, 4, 3);
    bft_world_begin(&w);
    bft_world_grow(&w, 4);
    read_ledger(&w, &c);
    for (u64 at = 2; at <= 3; at++) {
        kl_span payload = c.record[at].payload;
        u8 *room = KL_TAKE(&w.arena, u8, payload.len);
        CHECK(room);
        for (usize k = kl_rand_below(seed, 5); k < payload.len; k += 1 + kl_rand_below(seed, 9)) {
            memcpy(room, payload.p, payload.len);
            room[k] ^= (u8)(1u << kl_rand_below(seed, 8));
            verify_with(&w, &c, at, KL_RECORD_VOTED, kl_span_of(room, payload.len), &result);
            CHECK(!result.good && result.bad_version == at && result.rule != KL_RULE_NONE);
        }
        check_rule(&w, &c, at, KL_RECORD_BLOCK, payload, KL_RULE_LEDGER_KIND);
    }
    bft_world_done(&w);
}

/* Without a state: everything but the state root, the receipts' cause and the policy. */
static kl_status judge_unexecuted(const struct copy *c, u64 at, kl_span payload,
                                  struct kl_roll *roll)
{
    struct kl_chain *chain;
    struct kl_arena arena;
    kl_seglog_report report;
    kl_rule broken;
    struct kl_sim_disk *disk;
    const kl_seglog_config config = {.dir = KL_LEDGER_DIR, .segment_bytes = 1 << 20};
    CHECK_OK(kl_sim_disk_new(&disk));
    CHECK_OK(kl_chain_new(&chain, &(kl_chain_config){.fs = kl_sim_disk_fs(disk), .tests = true}));
    CHECK_OK(kl_seglog_open(&chain->ledger, chain->fs, &config, &report));
    for (u64 v = 0; v < c->end; v++) {
        u64 seq;
        kl_span bytes = v == at ? payload : c->record[v].payload;
        CHECK_OK(kl_seglog_append(chain->ledger, c->record[v].kind, &bytes, 1, &seq));
    }
    kl_arena_init(&arena, SIZE_MAX);
    CHECK_OK(kl_chain_learn_spec(chain, c->record[0].payload, &arena, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    kl_arena_done(&arena);
    *roll = (struct kl_roll){.progress = NULL};
    kl_status status = kl_chain_judge_unexecuted(chain, c->end, roll);
    kl_chain_close(chain);
    kl_sim_disk_free(disk);
    return status;
}

KL_TEST(bft_ledger_is_judged_without_a_state)
{
    struct bft_world w;
    struct copy c;
    struct kl_roll roll;
    bft_world_init(&w, KL_SCHEME_KEYED_HASH, 4, 3);
    bft_world_begin(&w);
    bft_world_grow(&w, 8);
    read_ledger(&w, &c);
    CHECK_OK(judge_unexecuted(&c, 0, c.record[0].payload, &roll));
    CHECK_U64(roll.unexecuted, 8);
    for (u64 at = 3; at <= 5; at++) {
        kl_span payload = c.record[at].payload;
        u8 *room = KL_TAKE(&w.arena, u8, payload.len);
        CHECK(room);
        for (usize k = 0; k < payload.len; k += 1 + kl_rand_below(seed, 7)) {
            memcpy(room, payload.p, payload.len);
            room[k] ^= (u8)(1u << kl_rand_below(seed, 8));
            CHECK(judge_unexecuted(&c, at, kl_span_of(room, payload.len), &roll) == KL_CORRUPT);
            CHECK_U64(roll.bad_version, at);
            CHECK(roll.bad_rule != KL_RULE_NONE);
        }
        if (!parts_of(&c, at).finalization.len)
            continue;
        kl_certificate bad = certificate_of(&c, at);
        bad.signers[0] &= (u8)(bad.signers[0] - 1);
        CHECK(judge_unexecuted(&c, at, with_certificate(&c, at, &bad), &roll) == KL_CORRUPT);
        CHECK_RULE(roll.bad_rule, KL_RULE_CERTIFICATE_WEIGHT);
    }
    bft_world_done(&w);
}
