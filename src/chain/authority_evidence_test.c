#include "chain/authority_rig_priv.h"
#include "codec/rlp.h"
#include "crypto/secp256k1.h"

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

/* Who was ejected is a candidate no more, if it was one. */
KL_TEST(authority_evidence_ends_a_candidacy)
{
    const u64 first = 0, second = 1;
    rig_init(&rig, KL_SCHEME_KEYED_HASH, KL_AUTHORITY_EJECT, 3, seed);
    rig_ok(&rig, rig_operator(&rig, 0), rig_propose(&rig, 1, 2, 0));
    rig_ok(&rig, rig_operator(&rig, 1), rig_vote(first, true));
    rig_ok(&rig, rig_operator(&rig, 0), rig_propose(&rig, 0, 2, 1));
    rig_ok(&rig, rig_operator(&rig, 1), rig_vote(second, true));
    kl_evidence what = evidence(&rig.set, 2, KL_VOTE_NOTARIZE, KL_VOTE_NOTARIZE, 0, 5);
    rig_ok(&rig, &anybody, report(&what, &rig.set));
    rig_refused(&rig, rig_operator(&rig, 2), rig_ready(&rig, 2), "NotValidator()");
    rig_done(&rig);
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

/* Property: of any two votes, in any order, contract and kl_evidence_check say the same. */
KL_TEST(authority_judges_as_cert_does)
{
    static const kl_vote_kind kinds[] = {KL_VOTE_NOTARIZE, KL_VOTE_NULLIFY, KL_VOTE_FINALIZE};
    usize taken = 0, refused = 0;
    rig_init(&rig, KL_SCHEME_SECP256K1, KL_AUTHORITY_REPORT, 3, seed);
    rig_block(&rig);
    for (unsigned i = 0; i < 400; i++) {
        kl_evidence what;
        kl_vote *votes[] = {&what.first, &what.second};
        for (usize k = 0; k < 2; k++) {
            u64 r = kl_rand(seed);
            kl_vote_subject s = subject(kinds[r % 3], (r >> 8) % 16 == 0, 5 + ((r >> 16) % 8 == 0),
                                        (u8)(1 + ((r >> 24) & 1)));
            if ((r >> 32) % 8 == 0 && s.kind != KL_VOTE_NULLIFY)
                s.proposal.parent_view--;
            if ((r >> 40) % 8 == 0 && s.kind != KL_VOTE_NULLIFY)
                s.proposal.height++;
            *votes[k] = sign(&rig.set, (r >> 48) % 8 == 0, &s);
        }
        if (kl_vote_subject_eq(&what.first.subject, &what.second.subject) &&
            what.first.signer == what.second.signer)
            continue; /* has no encoding as evidence */
        bool good = kl_evidence_check(&what, &rig.set, &rig.domain) == KL_RULE_NONE &&
                    what.first.subject.proposal.epoch == 0;
        rig_undo(&rig);
        CHECK(rig_goes(&rig, &anybody, report(&what, &rig.set)) == good);
        taken += good;
        refused += !good;
    }
    CHECK(taken > 50 && refused > 50);
    rig_done(&rig);
}

/* s and the order less s sign alike, with the other parity: only the lesser s counts.  And a point
 * of G2 and its negative differ in one bit, compressed: the bit must be that of the point brought.
 */
KL_TEST(authority_takes_no_second_signature)
{
    for (usize i = 0; i < 2; i++) {
        rig_init(&rig, schemes[i], KL_AUTHORITY_REPORT, 3, seed);
        kl_evidence what = evidence(&rig.set, 1, KL_VOTE_NOTARIZE, KL_VOTE_NOTARIZE, 0, 5);
        kl_span input = report(&what, &rig.set), bytes;
        CHECK_RULE(kl_abi_bytes(kl_span_sub(input, 4, input.len), 0, &bytes), KL_RULE_NONE);
        u8 *end = room + (bytes.p - room) + bytes.len; /* of the second signature */
        if (schemes[i] == KL_SCHEME_SECP256K1) {
            kl_u256 s = kl_u256_from_be(end - 33);
            kl_u256_to_be(end - 33, kl_u256_sub(kl_secp256k1_n, s));
            end[-1] ^= 1;
            rig_refused(&rig, &anybody, input, "BadSignature()");
            kl_u256_to_be(end - 33, s);
            end[-1] ^= 1;
        } else {
            end[-96] ^= 0x20;
            rig_refused(&rig, &anybody, input, "BadPoint()");
            end[-96] ^= 0x20;
        }
        rig_ok(&rig, &anybody, input);
        rig_done(&rig);
    }
}

enum flaw {
    SOUND,
    KIND,
    VIEW_ZERO,
    PARENT_VIEW,
    NOBODY, /* sits at that place */
    LEADING_ZERO,
    BYTE_AS_STRING, /* what is its own encoding */
    LIST_AS_NUMBER,
    SHORT_HASH,
    LONG_FORM, /* of a short length */
    NINTH,     /* one item more than a vote has */
    SWAPPED,
    THIRD,
    STRING, /* instead of the outer list */
    TRAILING,
    CUT,
    FLAWS
};

/* A vote's RLP, signed as it stands. */
static void put_flawed(kl_out *out, u8 block, enum flaw flaw)
{
    kl_vote_subject s = subject(KL_VOTE_NOTARIZE, 0, 5, block);
    kl_proposal *p = &s.proposal;
    u8 preimage[KL_VOTE_PREIMAGE_LEN], signature[KL_VOTE_SIGNATURE_MAX];
    if (flaw == VIEW_ZERO)
        p->view = p->parent_view = 0;
    if (flaw == PARENT_VIEW)
        p->parent_view = p->view;
    kl_vote_preimage(preimage, &rig.domain, rig.scheme->id, &s);
    if (flaw == KIND)
        preimage[52] = 4;
    CHECK(rig.scheme->sign(signature, &rig.secrets[1], KL_SPAN_OF(preimage)));
    kl_rlp_mark list = kl_rlp_put_begin(out);
    kl_rlp_put_u64(out, preimage[52]);
    kl_rlp_put_u64(out, p->epoch);
    if (flaw == LEADING_ZERO)
        kl_out_bytes(out, "\x82\x00\x05", 3);
    else if (flaw == BYTE_AS_STRING)
        kl_out_bytes(out, "\x81\x05", 2);
    else if (flaw == LIST_AS_NUMBER)
        kl_out_bytes(out, "\xc1\x05", 2);
    else
        kl_rlp_put_u64(out, p->view);
    kl_rlp_put_u64(out, p->parent_view);
    kl_rlp_put_u64(out, p->height);
    kl_rlp_put_bytes(out, kl_span_of(p->parent_hash.b, flaw == SHORT_HASH ? 31 : 32));
    if (flaw == LONG_FORM) {
        kl_out_bytes(out, "\xb8\x20", 2);
        kl_out_bytes(out, p->block_hash.b, 32);
    } else {
        kl_rlp_put_hash(out, &p->block_hash);
    }
    kl_rlp_put_u64(out, flaw == NOBODY ? 9 : 1);
    kl_rlp_put_bytes(out, kl_span_of(signature, rig.scheme->signature_len));
    if (flaw == NINTH)
        kl_rlp_put_u64(out, 1);
    kl_rlp_put_end(out, list);
}

static void put_flawed_evidence(kl_out *out, enum flaw flaw)
{
    u8 room_of_list[1024];
    kl_out list = kl_out_of(room_of_list, sizeof room_of_list);
    put_flawed(&list, flaw == SWAPPED ? 2 : 1, flaw);
    put_flawed(&list, flaw == SWAPPED ? 1 : 2, flaw);
    if (flaw == THIRD)
        put_flawed(&list, 3, flaw);
    if (flaw == STRING) {
        kl_rlp_put_bytes(out, kl_out_done(&list));
        return;
    }
    kl_rlp_put_list_header(out, list.len);
    kl_out_span(out, kl_out_done(&list));
    if (flaw == TRAILING)
        kl_out_u8(out, 0);
    out->len -= flaw == CUT;
}

/* Evidence has one spelling, on chain as elsewhere. */
KL_TEST(authority_takes_one_spelling)
{
    rig_init(&rig, KL_SCHEME_KEYED_HASH, KL_AUTHORITY_REPORT, 3, seed);
    rig_block(&rig);
    for (enum flaw flaw = SOUND; flaw < FLAWS; flaw++) {
        u8 bytes[1024];
        kl_evidence back;
        kl_out out = kl_out_of(bytes, sizeof bytes);
        put_flawed_evidence(&out, flaw);
        kl_span what = kl_out_done(&out), input = rig_report(what, &rig.set);
        bool reads = kl_evidence_decode(&back, what, rig.scheme) == KL_RULE_NONE;
        CHECK(reads == (flaw == SOUND || flaw == NOBODY));
        rig_undo(&rig);
        if (flaw == NOBODY)
            rig_refused(&rig, &anybody, input, "BadVote()");
        else
            CHECK(rig_goes(&rig, &anybody, input) == (flaw == SOUND));
    }
    rig_done(&rig);
}

/* A set of another scheme names nobody here, and points belong to scheme 2 alone. */
KL_TEST(authority_takes_sets_and_points_of_its_scheme)
{
    kl_valset other;
    rig_init(&rig, KL_SCHEME_SECP256K1, KL_AUTHORITY_REPORT, 3, seed);
    kl_evidence what = evidence(&rig.set, 1, KL_VOTE_NOTARIZE, KL_VOTE_NOTARIZE, 1, 5);
    CHECK_RULE(kl_valset_init(&other, kl_vote_scheme_of(KL_SCHEME_KEYED_HASH, true),
                              rig.set.validators, 3),
               KL_RULE_NONE);
    const kl_authority_block block = {
        .epoch = 1, .view = 1, .time_ms = 2000000000, .set = other.hash};
    rig_block_of(&rig, &block);
    u8 bytes[KL_EVIDENCE_RLP_MAX];
    kl_out out = kl_out_of(bytes, sizeof bytes);
    kl_evidence_encode(&out, &what, rig.scheme);
    rig_refused(&rig, &anybody, rig_report(kl_out_done(&out), &other), "BadVote()");
    rig_undo(&rig);
    what = evidence(&rig.set, 1, KL_VOTE_NOTARIZE, KL_VOTE_NOTARIZE, 0, 5);
    kl_span input = report(&what, &rig.set);
    room[input.len - 1] = 1; /* the length of the points, which are none */
    memset(room + input.len, 0, KL_ABI_WORD);
    rig_refused(&rig, &anybody, kl_span_of(room, input.len + KL_ABI_WORD), "BadPoint()");
    rig_done(&rig);
}
