/* fuzz_precompile: inputs for the built-in contracts.  Points come from the contracts themselves:
 * multiples of the generator, and maps to the curve; signatures from our own keys.  One input in
 * two is then spoilt in one place. */
#include <stdlib.h>

#include "cli/fuzz_gen.h"
#include "crypto/digest.h"
#include "evm/precompile.h"

enum { INPUT_MAX = 4096 };

/* An input being put together. */
struct input {
    struct kl_fuzz *f;
    kl_out out;
};

static void bytes(struct input *in, kl_span s)
{
    kl_out_span(&in->out, s);
}

static void hex(struct input *in, const char *text)
{
    for (; text[0] && text[1]; text += 2) {
        char pair[3] = {text[0], text[1], 0};
        kl_out_u8(&in->out, (u8)strtoul(pair, NULL, 16));
    }
}

static void word(struct input *in, kl_u256 v)
{
    kl_hash h = kl_u256_to_hash(v);
    bytes(in, kl_hash_span(&h));
}

static void anything(struct input *in, usize len)
{
    for (usize i = 0; i < len; i++)
        kl_out_u8(&in->out, kl_fuzz_one_in(in->f, 3) ? 0 : (u8)kl_rand(&in->f->rand));
}

static void zeros(struct input *in, usize len)
{
    for (usize i = 0; i < len; i++)
        kl_out_u8(&in->out, 0);
}

/* What the contract at a low address makes of an input of its own. */
static void output_of(struct input *in, u8 address, kl_span of)
{
    kl_address at = {.b[19] = address};
    kl_span output = KL_SPAN_NONE;
    bool ok = false;
    const struct kl_precompile *contract = kl_precompile_at(&at, in->f->fork);
    if (contract &&
        kl_precompile_run(contract, of, in->f->fork, in->f->arena, &output, &ok) == KL_OK && ok)
        bytes(in, output);
}

static void hashed(struct input *in)
{
    anything(in, kl_fuzz_below(in->f, 200));
}

static void ecrecover(struct input *in)
{
    struct kl_fuzz *f = in->f;
    kl_hash digest;
    kl_signature s;
    kl_rand_fill(&f->rand, digest.b, sizeof digest.b);
    if (!kl_secp256k1_sign(&s, &digest, &f->owner_key[kl_fuzz_below(f, KL_FUZZ_OWNERS)]))
        return;
    if (kl_fuzz_one_in(f, 4)) { /* the other s, good here too */
        s.s = kl_u256_sub(kl_secp256k1_n, s.s);
        s.y_parity ^= 1;
    }
    if (kl_fuzz_one_in(f, 8))
        s.r = kl_fuzz_one_in(f, 2) ? kl_secp256k1_n : KL_U256_ZERO;
    word(in, kl_u256_from_hash(&digest));
    word(in, kl_fuzz_one_in(f, 8) ? kl_fuzz_word(f) : kl_u256_of(27u + s.y_parity));
    word(in, s.r);
    word(in, s.s);
}

/* A number for a length field, and what of it is there. */
static u64 modexp_len(struct kl_fuzz *f)
{
    static const u64 edge[] = {0, 1, 2, 8, 31, 32, 33, 63, 64, 65, 96, 127, 128, 255, 256};
    return edge[kl_fuzz_below(f, KL_COUNT_OF(edge))];
}

static void modexp(struct input *in)
{
    struct kl_fuzz *f = in->f;
    static const u64 far[] = {1023, 1024, 1025, 8192, UINT32_MAX, UINT64_MAX};
    u64 len[3] = {modexp_len(f), modexp_len(f), modexp_len(f)};
    u64 odd = kl_fuzz_one_in(f, 8) ? kl_fuzz_below(f, 3) : 3;
    for (u64 i = 0; i < 3; i++)
        word(in, i == odd
                     ? kl_fuzz_one_in(f, 4) ? kl_fuzz_word(f) : kl_u256_of(far[kl_fuzz_below(f, 6)])
                     : kl_u256_of(len[i]));
    anything(in, len[0]);
    if (kl_fuzz_one_in(f, 3) && len[1] > 2) { /* a long exponent with a short head */
        zeros(in, len[1] - 2);
        anything(in, 2);
    } else {
        anything(in, len[1]);
    }
    anything(in, len[2]);
}

#define BN254_P "30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47"

static void bn254_point(struct input *in)
{
    struct kl_fuzz *f = in->f;
    u8 room[96];
    struct input own = {f, kl_out_of(room, sizeof room)};
    if (kl_fuzz_one_in(f, 6)) {
        zeros(in, 64);
        return;
    }
    word(&own, kl_u256_of(1));
    word(&own, kl_u256_of(2));
    word(&own, kl_fuzz_one_in(f, 2) ? kl_u256_of(1 + kl_fuzz_below(f, 4)) : kl_fuzz_word(f));
    usize before = in->out.len;
    output_of(in, 7, kl_out_done(&own.out));
    if (in->out.len == before)
        zeros(in, 64);
}

static void bn254_add(struct input *in)
{
    bn254_point(in);
    if (kl_fuzz_one_in(in->f, 6) && in->out.len == 64) { /* twice the same */
        u8 same[64];
        memcpy(same, in->out.p, sizeof same);
        bytes(in, kl_span_of(same, sizeof same));
    } else {
        bn254_point(in);
    }
}

static void bn254_mul(struct input *in)
{
    bn254_point(in);
    word(in, kl_fuzz_word(in->f));
}

/* [EIP-197]: the generator of G2, imaginary parts first. */
static void bn254_pairing(struct input *in)
{
    for (u64 i = 0, n = kl_fuzz_below(in->f, 4); i < n; i++) {
        bn254_point(in);
        if (kl_fuzz_one_in(in->f, 6))
            zeros(in, 128);
        else
            hex(in, "198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2"
                    "1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed"
                    "090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b"
                    "12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa");
    }
    if (kl_fuzz_one_in(in->f, 8) && in->out.len >= 32) { /* a coordinate that is the modulus */
        struct input own = {in->f, kl_out_of(in->out.p, 32)};
        hex(&own, BN254_P);
    }
}

static void blake2f(struct input *in)
{
    struct kl_fuzz *f = in->f;
    kl_out_be32(&in->out, (u32)kl_fuzz_below(f, 300));
    anything(in, 64 + 128 + 16);
    kl_out_u8(&in->out, (u8)kl_fuzz_below(f, kl_fuzz_one_in(f, 8) ? 4 : 2));
}

/* Constant polynomials have the point at infinity as their proof everywhere: 0, and 1, whose
 * commitment is the generator. */
static void point_evaluation(struct input *in)
{
    static const char infinity[] =
        "c00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        "000000";
    static const char generator[] =
        "97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb"
        "22c6bb";
    struct kl_fuzz *f = in->f;
    bool one = kl_fuzz_one_in(f, 2);
    u8 commitment[48];
    struct input own = {f, kl_out_of(commitment, sizeof commitment)};
    hex(&own, one ? generator : infinity);
    kl_hash versioned;
    kl_sha256(versioned.b, kl_span_of(commitment, sizeof commitment));
    versioned.b[0] = 1;
    bytes(in, kl_hash_span(&versioned));
    word(in, kl_fuzz_one_in(f, 8) ? KL_U256_MAX : kl_u256_of(kl_rand(&f->rand)));
    word(in, kl_u256_of(one ^ kl_fuzz_one_in(f, 8)));
    bytes(in, kl_span_of(commitment, sizeof commitment));
    hex(in, infinity);
}

/* A point of BLS12-381's subgroups: a map's image, or infinity. */
static void bls_point(struct input *in, bool second)
{
    u8 room[128];
    struct input own = {in->f, kl_out_of(room, sizeof room)};
    usize len = second ? 256 : 128;
    if (kl_fuzz_one_in(in->f, 6)) {
        zeros(in, len);
        return;
    }
    for (unsigned i = 0; i <= second; i++) {
        zeros(&own, 17);
        anything(&own, 47);
    }
    usize before = in->out.len;
    output_of(in, second ? 0x11 : 0x10, kl_out_done(&own.out));
    if (in->out.len == before)
        zeros(in, len);
}

static void bls_scalar(struct input *in)
{
    word(in, kl_fuzz_word(in->f));
}

static void bls_g1_add(struct input *in)
{
    bls_point(in, false);
    bls_point(in, false);
}

static void bls_g2_add(struct input *in)
{
    bls_point(in, true);
    bls_point(in, true);
}

static void bls_g1_msm(struct input *in)
{
    for (u64 i = 0, n = kl_fuzz_below(in->f, 4); i < n; i++) {
        bls_point(in, false);
        bls_scalar(in);
    }
}

static void bls_g2_msm(struct input *in)
{
    for (u64 i = 0, n = kl_fuzz_below(in->f, 3); i < n; i++) {
        bls_point(in, true);
        bls_scalar(in);
    }
}

static void bls_pairing(struct input *in)
{
    for (u64 i = 0, n = kl_fuzz_below(in->f, 3); i < n; i++) {
        bls_point(in, false);
        bls_point(in, true);
    }
}

static void bls_field(struct input *in)
{
    zeros(in, 16);
    anything(in, 48);
}

static void bls_field2(struct input *in)
{
    bls_field(in);
    bls_field(in);
}

static void p256(struct input *in)
{
    hex(in, "9125bbdb0b566c16a59f982e5a14695839f29b5ce895b2f2e964c01b9a443846"
            "da9389c3a561d3e0f718b9f9e0a4fbb23b8fe19816081f366f19df6688b60d97"
            "5909377f372d4d89bf4db2d6e4d9b8fd304054dea65ebc201fb29f8b4c47b0c9"
            "d32ec962831ae0de21ad9a66297c66bc077c54038373a4a44c75949258381f11"
            "0721ee273ebf92ac730971b8e1838d909b1c806de48e3e425496e5ac56c1c133");
}

/* By address, 0x0100 last. */
static void (*const makers[])(struct input *in) = {
    ecrecover,  hashed,        hashed,      hashed,           modexp,     bn254_add,
    bn254_mul,  bn254_pairing, blake2f,     point_evaluation, bls_g1_add, bls_g1_msm,
    bls_g2_add, bls_g2_msm,    bls_pairing, bls_field,        bls_field2, p256,
};

static void spoil(struct input *in)
{
    struct kl_fuzz *f = in->f;
    if (in->out.len == 0)
        return;
    switch (kl_fuzz_below(f, 4)) {
    case 0:
        in->out.len = kl_fuzz_below(f, in->out.len);
        break;
    case 1:
        anything(in, 1 + kl_fuzz_below(f, 33));
        break;
    case 2:
        in->out.p[kl_fuzz_below(f, in->out.len)] ^= (u8)(1u << kl_fuzz_below(f, 8));
        break;
    default:
        in->out.p[kl_fuzz_below(f, in->out.len)] = 0xff;
    }
}

kl_status kl_fuzz_precompile(struct kl_fuzz *f, kl_address *out, kl_span *input)
{
    usize cursor = 0;
    u64 at = 0;
    kl_address address;
    while (kl_precompile_next(f->fork, &cursor, &address))
        at++;
    at = kl_fuzz_below(f, at);
    cursor = 0;
    for (u64 i = 0; i <= at; i++)
        if (!kl_precompile_next(f->fork, &cursor, &address))
            return KL_LIMIT;
    u8 *room = KL_TAKE(f->arena, u8, INPUT_MAX);
    if (!room)
        return KL_NOMEM;
    struct input in = {f, kl_out_of(room, INPUT_MAX)};
    makers[KL_MIN((usize)at, KL_COUNT_OF(makers) - 1)](&in);
    if (kl_fuzz_one_in(f, 2))
        spoil(&in);
    *out = address;
    *input = kl_out_done(&in.out);
    return KL_OK;
}
