#include "chain/authority_rig_priv.h"

static authority_rig rig;
static const u8 schemes[] = {KL_SCHEME_SECP256K1, KL_SCHEME_BLS12_381, KL_SCHEME_KEYED_HASH};
static u8 room[KL_AUTHORITY_REPORT_MAX];

static kl_vote_subject subject(kl_vote_kind kind, u64 epoch, u64 view, u8 block)
{
    kl_vote_subject s = {.kind = kind, .proposal = {.epoch = epoch, .view = view}};
    if (kind == KL_VOTE_NULLIFY)
        return s;
    s.proposal.parent_view = view - 1;
    s.proposal.height = 1000;
    s.proposal.parent_hash.b[3] = 7;
    s.proposal.block_hash.b[0] = block;
    return s;
}

static kl_vote sign(const kl_valset *set, usize person, const kl_vote_subject *what)
{
    kl_vote vote;
    u32 place = rig_place(set, rig_operator(&rig, person));
    CHECK(place != UINT32_MAX);
    CHECK(kl_vote_sign(&vote, what, place, rig.scheme, &rig.secrets[person], &rig.domain));
    return vote;
}

static kl_evidence evidence(const kl_valset *set, usize person, kl_vote_kind a, kl_vote_kind b,
                            u64 epoch, u64 view)
{
    const kl_vote_subject first = subject(a, epoch, view, 1), second = subject(b, epoch, view, 2);
    kl_evidence made = {sign(set, person, &first), sign(set, person, &second)};
    CHECK_RULE(kl_evidence_check(&made, set, &rig.domain), KL_RULE_NONE);
    return made;
}

static kl_span report(const kl_evidence *what, const kl_valset *set)
{
    kl_out out = kl_out_of(room, sizeof room);
    kl_authority_put_report(&out, what, set);
    CHECK(!out.full);
    return kl_out_done(&out);
}

/* Anybody may report. */
static const kl_address anybody = {{0xaa, 1, 2, 3}};

#define EQUIVOCATED "Equivocated(address,uint64,uint64,uint8)"

/* All three kinds of conflict, under each scheme: one each of three validators, who go one after
 * the other; the last stays. */
KL_TEST(authority_takes_evidence_once)
{
    static const kl_vote_kind kinds[3][2] = {{KL_VOTE_NOTARIZE, KL_VOTE_NOTARIZE},
                                             {KL_VOTE_FINALIZE, KL_VOTE_FINALIZE},
                                             {KL_VOTE_NULLIFY, KL_VOTE_FINALIZE}};
    for (usize i = 0; i < KL_COUNT_OF(schemes); i++) {
        rig_init(&rig, schemes[i], KL_AUTHORITY_EJECT, 3, seed);
        for (usize k = 0; k < 3; k++) {
            kl_evidence what = evidence(&rig.set, k, kinds[k][0], kinds[k][1], 0, 5 + k);
            rig_ok(&rig, &anybody, report(&what, &rig.set));
            CHECK_U64(rig_events(&rig, EQUIVOCATED), 1);
            CHECK_U64(rig_events(&rig, "Removed(address)"), k < 2);
            rig_refused(&rig, &anybody, report(&what, &rig.set), "AlreadyReported()");
            what = evidence(&rig.set, k, KL_VOTE_NOTARIZE, KL_VOTE_NOTARIZE, 0, 77);
            rig_refused(&rig, &anybody, report(&what, &rig.set), "AlreadyReported()");
        }
        CHECK_U64(rig_number(&rig, "count()"), 1);
        rig_epoch(&rig); /* from three, F = 0: one an epoch */
        CHECK_U64(rig.set.count, 2);
        rig_epoch(&rig);
        CHECK_U64(rig.set.count, 1);
        rig_done(&rig);
    }
}

KL_TEST(authority_only_reports_where_it_should_only_report)
{
    rig_init(&rig, KL_SCHEME_KEYED_HASH, KL_AUTHORITY_REPORT, 3, seed);
    kl_evidence what = evidence(&rig.set, 1, KL_VOTE_NOTARIZE, KL_VOTE_NOTARIZE, 0, 5);
    rig_ok(&rig, &anybody, report(&what, &rig.set));
    CHECK_U64(rig_events(&rig, EQUIVOCATED), 1);
    CHECK_U64(rig_events(&rig, "Removed(address)"), 0);
    CHECK_U64(rig_number(&rig, "count()"), 3);
    rig_done(&rig);
}

/* Evidence counts in its epoch and the next, with the set of its epoch. */
KL_TEST(authority_takes_evidence_of_this_epoch_and_the_last)
{
    rig_init(&rig, KL_SCHEME_KEYED_HASH, KL_AUTHORITY_REPORT, 4, seed);
    kl_evidence what = evidence(&rig.set, 1, KL_VOTE_NOTARIZE, KL_VOTE_NOTARIZE, 0, 5);
    kl_evidence ahead = evidence(&rig.set, 1, KL_VOTE_NOTARIZE, KL_VOTE_NOTARIZE, 1, 5);
    kl_evidence late = evidence(&rig.set, 2, KL_VOTE_NOTARIZE, KL_VOTE_NOTARIZE, 0, 5);
    rig_refused(&rig, &anybody, report(&ahead, &rig.set), "UnknownEpoch()");
    rig_rekey(&rig, 3, seed);
    rig_ok(&rig, rig_operator(&rig, 3), rig_ready(&rig, 3));
    rig_epoch(&rig);
    CHECK(!kl_hash_eq(&rig.before.hash, &rig.set.hash));
    rig_refused(&rig, &anybody, report(&what, &rig.set), "UnknownEpoch()");
    rig_ok(&rig, &anybody, report(&what, &rig.before));
    rig_ok(&rig, &anybody, report(&ahead, &rig.set)); /* another epoch counts anew */
    kl_valset first = rig.before;
    rig_epoch(&rig);
    rig_refused(&rig, &anybody, report(&late, &first), "UnknownEpoch()");
    rig_done(&rig);
}

/* What kl_evidence_check refuses, the contract refuses: other signers, no conflict, other chains.
 */
KL_TEST(authority_refuses_what_is_no_evidence)
{
    for (usize i = 0; i < KL_COUNT_OF(schemes); i++) {
        rig_init(&rig, schemes[i], KL_AUTHORITY_EJECT, 3, seed);
        const kl_evidence good = evidence(&rig.set, 1, KL_VOTE_NOTARIZE, KL_VOTE_NOTARIZE, 0, 5);
        const kl_vote_subject a = subject(KL_VOTE_NOTARIZE, 0, 5, 1);
        const kl_vote_subject finalize = subject(KL_VOTE_FINALIZE, 0, 5, 1);
        const kl_vote_subject nullify = subject(KL_VOTE_NULLIFY, 0, 5, 0);
        const kl_vote_subject other_view = subject(KL_VOTE_NOTARIZE, 0, 6, 2);
        kl_evidence bad = good;
        bad.second = sign(&rig.set, 2, &good.second.subject);
        rig_refused(&rig, &anybody, report(&bad, &rig.set), "NoConflict()");
        bad.second = sign(&rig.set, 1, &finalize);
        rig_refused(&rig, &anybody, report(&bad, &rig.set), "NoConflict()");
        bad.second = sign(&rig.set, 1, &nullify);
        rig_refused(&rig, &anybody, report(&bad, &rig.set), "NoConflict()");
        bad.second = sign(&rig.set, 1, &other_view);
        rig_refused(&rig, &anybody, report(&bad, &rig.set), "NoConflict()");
        kl_vote_domain was = rig.domain;
        rig.domain.chain_id++;
        bad.second = good.second;
        bad.first = sign(&rig.set, 1, &a);
        rig_refused(&rig, &anybody, report(&bad, &rig.set), "BadSignature()");
        rig.domain = was;
        rig.domain.genesis_hash.b[9] ^= 1;
        bad.first = sign(&rig.set, 1, &a);
        rig_refused(&rig, &anybody, report(&bad, &rig.set), "BadSignature()");
        rig.domain = was;
        rig_ok(&rig, &anybody, report(&good, &rig.set));
        rig_done(&rig);
    }
}

/* Property: one bit changed anywhere in evidence, set or points, and it is refused. */
KL_TEST(authority_refuses_damaged_evidence)
{
    for (usize i = 0; i < KL_COUNT_OF(schemes); i++) {
        rig_init(&rig, schemes[i], KL_AUTHORITY_REPORT, 3, seed);
        kl_evidence what = evidence(&rig.set, 1, KL_VOTE_NULLIFY, KL_VOTE_FINALIZE, 0, 5);
        kl_span input = report(&what, &rig.set), tuple = kl_span_sub(input, 4, input.len);
        usize tries = schemes[i] == KL_SCHEME_BLS12_381 ? 60 : 300;
        for (usize k = 0; k < tries; k++) {
            kl_span part = KL_SPAN_NONE;
            CHECK_RULE(kl_abi_bytes(tuple, kl_rand_below(seed, 3), &part), KL_RULE_NONE);
            if (part.len == 0)
                continue;
            usize at = (usize)(part.p - room) + kl_rand_below(seed, part.len);
            u8 bit = (u8)(1u << kl_rand_below(seed, 8));
            room[at] ^= bit;
            CHECK(!rig_goes(&rig, &anybody, input));
            room[at] ^= bit;
        }
        rig_ok(&rig, &anybody, input);
        rig_done(&rig);
    }
}
