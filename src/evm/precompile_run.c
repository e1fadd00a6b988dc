/* What built-in contracts do: input as the EIP cuts it, output as the EIP puts it together.  The
 * mathematics is crypto's. */
#include "crypto/crypto.h"
#include "evm/precompile_priv.h"

static kl_status give(kl_pre_job *job, const void *bytes, usize len)
{
    job->out = kl_arena_copy(job->arena, kl_span_of(bytes, len));
    return job->out.p ? KL_OK : KL_NOMEM;
}

/* 1 or 0 as a word. */
static kl_status give_bool(kl_pre_job *job, bool value)
{
    u8 word[32] = {[31] = value};
    return give(job, word, sizeof word);
}

static kl_status fail(kl_pre_job *job)
{
    job->ok = false;
    return KL_OK;
}

static bool all_zero(const u8 *p, usize len)
{
    u8 any = 0;
    for (usize i = 0; i < len; i++)
        any |= p[i];
    return any == 0;
}

/* Input digest ‖ v ‖ r ‖ s; nobody (no output) for a signature of no key. */
kl_status kl_pre_run_ecrecover(kl_pre_job *job)
{
    u8 in[128], word[32] = {0};
    kl_pre_copy(in, sizeof in, job->in, 0);
    kl_signature signature = {kl_u256_from_be(in + 64), kl_u256_from_be(in + 96),
                              (u8)(in[63] - 27)};
    kl_hash digest;
    kl_pubkey key;
    memcpy(digest.b, in, sizeof digest.b);
    if (!all_zero(in + 32, 31) || (in[63] != 27 && in[63] != 28) ||
        !kl_secp256k1_recover_var(&key, &digest, &signature))
        return KL_OK;
    kl_address address = kl_address_of_pubkey(&key);
    memcpy(word + 12, address.b, sizeof address.b);
    return give(job, word, sizeof word);
}

kl_status kl_pre_run_sha256(kl_pre_job *job)
{
    u8 hash[32];
    kl_sha256(hash, job->in);
    return give(job, hash, sizeof hash);
}

kl_status kl_pre_run_ripemd160(kl_pre_job *job)
{
    u8 word[32] = {0};
    kl_ripemd160(word + 12, job->in);
    return give(job, word, sizeof word);
}

kl_status kl_pre_run_identity(kl_pre_job *job)
{
    job->out = job->in;
    return KL_OK;
}

kl_modexp_len kl_modexp_lengths(kl_span in)
{
    u8 head[KL_MODEXP_HEAD];
    kl_pre_copy(head, sizeof head, in, 0);
    return (kl_modexp_len){kl_u256_sat_u64(kl_u256_from_be(head)),
                           kl_u256_sat_u64(kl_u256_from_be(head + 32)),
                           kl_u256_sat_u64(kl_u256_from_be(head + 64))};
}

/* The len bytes of in at offset: a view, or a copy with zeros behind the end of in. */
static kl_status modexp_part(kl_span *out, kl_pre_job *job, u64 offset, u64 len)
{
    kl_span part = kl_span_sub(job->in, offset, len);
    if (part.len == len) {
        *out = part;
        return KL_OK;
    }
    u8 *copy = kl_arena_take(job->arena, len, 1);
    if (!copy)
        return KL_LIMIT; /* the gas was there, the memory is not */
    kl_pre_copy(copy, len, job->in, offset);
    *out = kl_span_of(copy, len);
    return KL_OK;
}

kl_status kl_pre_run_modexp(kl_pre_job *job)
{
    kl_modexp_len len = kl_modexp_lengths(job->in);
    kl_span base, exponent, modulus;
    u64 at = KL_MODEXP_HEAD;
    if (len.modulus == 0)
        return KL_OK;
    KL_TRY(modexp_part(&base, job, at, len.base));
    at = kl_add_sat_u64(at, len.base);
    KL_TRY(modexp_part(&exponent, job, at, len.exponent));
    at = kl_add_sat_u64(at, len.exponent);
    KL_TRY(modexp_part(&modulus, job, at, len.modulus));
    u8 *out = kl_arena_take(job->arena, len.modulus, 1);
    if (!out)
        return KL_LIMIT;
    KL_TRY(kl_modexp_var(out, len.modulus, base, exponent, modulus));
    job->out = kl_span_of(out, len.modulus);
    return KL_OK;
}

kl_status kl_pre_run_bn254_add(kl_pre_job *job)
{
    u8 in[128], out[64];
    kl_pre_copy(in, sizeof in, job->in, 0);
    return kl_bn254_add_var(out, in, in + 64) ? give(job, out, sizeof out) : fail(job);
}

kl_status kl_pre_run_bn254_mul(kl_pre_job *job)
{
    u8 in[96], out[64];
    kl_pre_copy(in, sizeof in, job->in, 0);
    return kl_bn254_mul_var(out, in, in + 64) ? give(job, out, sizeof out) : fail(job);
}

kl_status kl_pre_run_bn254_pairing(kl_pre_job *job)
{
    bool one;
    if (job->in.len % 192 != 0 || !kl_bn254_pairing_var(&one, job->in.p, job->in.len / 192))
        return fail(job);
    return give_bool(job, one);
}

/* [EIP-152]: rounds ‖ h ‖ m ‖ t0 ‖ t1 ‖ final, all but rounds little-endian. */
kl_status kl_pre_run_blake2f(kl_pre_job *job)
{
    const u8 *in = job->in.p;
    u64 h[8], m[16];
    u8 out[64];
    if (job->in.len != 213 || in[212] > 1)
        return fail(job);
    for (unsigned i = 0; i < 8; i++)
        h[i] = kl_load_le64(in + 4 + 8 * i);
    for (unsigned i = 0; i < 16; i++)
        m[i] = kl_load_le64(in + 68 + 8 * i);
    kl_blake2b_f(h, m, kl_load_le64(in + 196), kl_load_le64(in + 204), in[212], kl_load_be32(in));
    for (unsigned i = 0; i < 8; i++)
        kl_store_le64(out + 8 * i, h[i]);
    return give(job, out, sizeof out);
}

/* [EIP-4844]: versioned hash ‖ z ‖ y ‖ commitment ‖ proof. */
kl_status kl_pre_run_point_evaluation(kl_pre_job *job)
{
    static const u8 answer[64] = {
        [30] = 0x10, /* FIELD_ELEMENTS_PER_BLOB = 4096, then BLS_MODULUS */
        [32] = 0x73, 0xed, 0xa7, 0x53, 0x29, 0x9d, 0x7d, 0x48, 0x33, 0x39, 0xd8,
        0x08,        0x09, 0xa1, 0xd8, 0x05, 0x53, 0xbd, 0xa4, 0x02, 0xff, 0xfe,
        0x5b,        0xfe, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x01};
    const u8 *in = job->in.p;
    u8 hash[32];
    if (job->in.len != 192)
        return fail(job);
    kl_sha256(hash, kl_span_of(in + 96, 48));
    hash[0] = 0x01;
    if (memcmp(hash, in, sizeof hash) != 0 ||
        !kl_kzg_verify_opening(in + 96, in + 32, in + 64, in + 144))
        return fail(job);
    return give(job, answer, sizeof answer);
}

kl_status kl_pre_run_bls12_g1_add(kl_pre_job *job)
{
    u8 out[128];
    if (job->in.len != 256 || !kl_bls12_g1_add(out, job->in.p, job->in.p + 128))
        return fail(job);
    return give(job, out, sizeof out);
}

kl_status kl_pre_run_bls12_g2_add(kl_pre_job *job)
{
    u8 out[256];
    if (job->in.len != 512 || !kl_bls12_g2_add(out, job->in.p, job->in.p + 256))
        return fail(job);
    return give(job, out, sizeof out);
}

kl_status kl_pre_run_bls12_g1_msm(kl_pre_job *job)
{
    u8 out[128];
    bool valid;
    if (job->in.len == 0 || job->in.len % 160 != 0)
        return fail(job);
    KL_TRY(kl_bls12_g1_msm(&valid, out, job->in.p, job->in.len / 160, job->arena));
    return valid ? give(job, out, sizeof out) : fail(job);
}

kl_status kl_pre_run_bls12_g2_msm(kl_pre_job *job)
{
    u8 out[256];
    bool valid;
    if (job->in.len == 0 || job->in.len % 288 != 0)
        return fail(job);
    KL_TRY(kl_bls12_g2_msm(&valid, out, job->in.p, job->in.len / 288, job->arena));
    return valid ? give(job, out, sizeof out) : fail(job);
}

kl_status kl_pre_run_bls12_pairing(kl_pre_job *job)
{
    bool one;
    if (job->in.len == 0 || job->in.len % 384 != 0 ||
        !kl_bls12_pairing(&one, job->in.p, job->in.len / 384))
        return fail(job);
    return give_bool(job, one);
}

kl_status kl_pre_run_bls12_map_fp(kl_pre_job *job)
{
    u8 out[128];
    if (job->in.len != 64 || !kl_bls12_map_fp_to_g1(out, job->in.p))
        return fail(job);
    return give(job, out, sizeof out);
}

kl_status kl_pre_run_bls12_map_fp2(kl_pre_job *job)
{
    u8 out[256];
    if (job->in.len != 128 || !kl_bls12_map_fp2_to_g2(out, job->in.p))
        return fail(job);
    return give(job, out, sizeof out);
}

/* [EIP-7951]: digest ‖ r ‖ s ‖ x ‖ y; no output for anything but a good signature. */
kl_status kl_pre_run_p256verify(kl_pre_job *job)
{
    const u8 *in = job->in.p;
    if (job->in.len != 160 || !kl_p256_verify_var(in, in + 32, in + 96))
        return KL_OK;
    return give_bool(job, true);
}
