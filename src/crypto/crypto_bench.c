/* What the layer's operations cost: the best of several runs, in microseconds of one core. */
#include <stdio.h>
#include <time.h>

#include "base/rand.h"
#include "crypto/crypto.h"

/* Operands of all operations; each writes over them freely. */
static struct {
    u8 bytes[1 << 16];
    kl_hash hash[64];
    kl_span span[64];
    kl_secret32 key;
    kl_pubkey pubkey;
    kl_signature signature;
    u8 bn_pairs[16 * 192], g1_pairs[128 * 160], g2_pairs[128 * 288], bls_pairs[16 * 384];
    u8 out[1024];
    struct kl_arena arena;
    bool flag;
} at;

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void keccak(usize len)
{
    at.hash[0] = kl_keccak256(kl_span_of(at.bytes, len));
}

static void keccak_batch(usize len)
{
    for (usize i = 0; i < 64; i++)
        at.span[i] = kl_span_of(at.bytes + i * 8, len);
    kl_keccak256_batch(at.hash, at.span, 64);
}

static void sha256(usize len)
{
    kl_sha256(at.out, kl_span_of(at.bytes, len));
}

static void ripemd160(usize len)
{
    kl_ripemd160(at.out, kl_span_of(at.bytes, len));
}

static void blake2b_f(usize rounds)
{
    u64 h[8] = {1}, m[16] = {2};
    kl_blake2b_f(h, m, 3, 4, true, (u32)rounds);
    kl_store_le64(at.out, h[0]);
}

static void crc32c(usize len)
{
    kl_store_le32(at.out, kl_crc32c(0, kl_span_of(at.bytes, len)));
}

static void recover(KL_UNUSED usize n)
{
    at.flag = kl_secp256k1_recover_var(&at.pubkey, &at.hash[63], &at.signature);
}

static void sign(KL_UNUSED usize n)
{
    at.flag = kl_secp256k1_sign(&at.signature, &at.hash[63], &at.key);
}

static void verify(KL_UNUSED usize n)
{
    at.flag = kl_secp256k1_verify_var(&at.hash[63], &at.signature, &at.pubkey);
}

/* The standard's sample key; the signature is not its own, which takes as long. */
static void p256_verify(KL_UNUSED usize n)
{
    static const u8 x_y[64] = {0x60, 0xfe, 0xd4, 0xba, 0x25, 0x5a, 0x9d, 0x31, 0xc9, 0x61, 0xeb,
                               0x74, 0xc6, 0x35, 0x6d, 0x68, 0xc0, 0x49, 0xb8, 0x92, 0x3b, 0x61,
                               0xfa, 0x6c, 0xe6, 0x69, 0x62, 0x2e, 0x60, 0xf2, 0x9f, 0xb6, 0x79,
                               0x03, 0xfe, 0x10, 0x08, 0xb8, 0xbc, 0x99, 0xa4, 0x1a, 0xe9, 0xe9,
                               0x56, 0x28, 0xbc, 0x64, 0xf2, 0xf1, 0xb2, 0x0c, 0x2d, 0x7e, 0x9f,
                               0x51, 0x77, 0xa3, 0xc2, 0x94, 0xd4, 0x46, 0x22, 0x99};
    at.flag = kl_p256_verify_var(at.bytes, at.g1_pairs + 128, x_y);
}

/* Modulus and base of len bytes, exponent of as many, or of twice as many. */
static void modexp(usize len)
{
    kl_span n = kl_span_of(at.bytes, len);
    at.flag = kl_modexp_var(at.out, len, n, n, n) == KL_OK;
}

static void modexp_long(usize len)
{
    kl_span n = kl_span_of(at.bytes, len);
    at.flag = kl_modexp_var(at.out, len, n, kl_span_of(at.bytes, 2 * len), n) == KL_OK;
}

static void bn254_add(KL_UNUSED usize n)
{
    at.flag = kl_bn254_add_var(at.out, at.bn_pairs, at.bn_pairs + 192);
}

static void bn254_mul(KL_UNUSED usize n)
{
    at.flag = kl_bn254_mul_var(at.out, at.bn_pairs, at.bytes);
}

static void bn254_pairing(usize pairs)
{
    at.flag = kl_bn254_pairing_var(&at.flag, at.bn_pairs, pairs);
}

static void bls12_g1_add(KL_UNUSED usize n)
{
    at.flag = kl_bls12_g1_add(at.out, at.g1_pairs, at.g1_pairs + 160);
}

static void bls12_g2_add(KL_UNUSED usize n)
{
    at.flag = kl_bls12_g2_add(at.out, at.g2_pairs, at.g2_pairs + 288);
}

static void bls12_g1_msm(usize terms)
{
    at.flag = kl_bls12_g1_msm(&at.flag, at.out, at.g1_pairs, terms, &at.arena) == KL_OK;
    kl_arena_reset(&at.arena, SIZE_MAX);
}

static void bls12_g2_msm(usize terms)
{
    at.flag = kl_bls12_g2_msm(&at.flag, at.out, at.g2_pairs, terms, &at.arena) == KL_OK;
    kl_arena_reset(&at.arena, SIZE_MAX);
}

static void bls12_pairing(usize pairs)
{
    at.flag = kl_bls12_pairing(&at.flag, at.bls_pairs, pairs);
}

static void bls12_map_g1(KL_UNUSED usize n)
{
    at.flag = kl_bls12_map_fp_to_g1(at.out, at.bls_pairs);
}

static void bls12_map_g2(KL_UNUSED usize n)
{
    at.flag = kl_bls12_map_fp2_to_g2(at.out, at.bls_pairs);
}

/* The generator as commitment and proof: not an opening, which takes as long. */
static void kzg_opening(KL_UNUSED usize n)
{
    static const u8 g[48] = {0x97, 0xf1, 0xd3, 0xa7, 0x31, 0x97, 0xd7, 0x94, 0x26, 0x95,
                             0x63, 0x8c, 0x4f, 0xa9, 0xac, 0x0f, 0xc3, 0x68, 0x8c, 0x4f,
                             0x97, 0x74, 0xb9, 0x05, 0xa1, 0x4e, 0x3a, 0x3f, 0x17, 0x1b,
                             0xac, 0x58, 0x6c, 0x55, 0xe8, 0x3f, 0xf9, 0x7a, 0x1a, 0xef,
                             0xfb, 0x3a, 0xf0, 0x0a, 0xdb, 0x22, 0xc6, 0xbb};
    at.flag = kl_kzg_verify_opening(g, at.key.b, at.key.b, g);
}

static const struct {
    const char *name;
    void (*run)(usize n);
    usize n, each; /* `each` operations in one run */
} row[] = {
    {"keccak256, 32 bytes", keccak, 32, 1},
    {"keccak256, 136 bytes", keccak, 136, 1},
    {"keccak256, 532 bytes", keccak, 532, 1},
    {"keccak256, 32 bytes, 64 at once", keccak_batch, 32, 64},
    {"keccak256, 136 bytes, 64 at once", keccak_batch, 136, 64},
    {"keccak256, 532 bytes, 64 at once", keccak_batch, 532, 64},
    {"sha256, 64 bytes", sha256, 64, 1},
    {"ripemd160, 64 bytes", ripemd160, 64, 1},
    {"blake2b f, 12 rounds", blake2b_f, 12, 1},
    {"crc32c, 4096 bytes", crc32c, 4096, 1},
    {"secp256k1 sign", sign, 0, 1},
    {"secp256k1 recover", recover, 0, 1},
    {"secp256k1 verify", verify, 0, 1},
    {"p256 verify", p256_verify, 0, 1},
    {"modexp, 256 bits", modexp, 32, 1},
    {"modexp, 2048 bits", modexp, 256, 1},
    {"modexp, 4096 bits, exponent 8192", modexp_long, 512, 1},
    {"modexp, 8192 bits", modexp, 1024, 1},
    {"bn254 add", bn254_add, 0, 1},
    {"bn254 mul", bn254_mul, 0, 1},
    {"bn254 pairing, 1 pair", bn254_pairing, 1, 1},
    {"bn254 pairing, 2 pairs", bn254_pairing, 2, 1},
    {"bn254 pairing, 16 pairs", bn254_pairing, 16, 1},
    {"bls12 g1 add", bls12_g1_add, 0, 1},
    {"bls12 g2 add", bls12_g2_add, 0, 1},
    {"bls12 g1 msm, 1 term", bls12_g1_msm, 1, 1},
    {"bls12 g1 msm, 128 terms", bls12_g1_msm, 128, 1},
    {"bls12 g2 msm, 1 term", bls12_g2_msm, 1, 1},
    {"bls12 g2 msm, 128 terms", bls12_g2_msm, 128, 1},
    {"bls12 pairing, 1 pair", bls12_pairing, 1, 1},
    {"bls12 pairing, 2 pairs", bls12_pairing, 2, 1},
    {"bls12 pairing, 16 pairs", bls12_pairing, 16, 1},
    {"bls12 map to g1", bls12_map_g1, 0, 1},
    {"bls12 map to g2", bls12_map_g2, 0, 1},
    {"kzg opening", kzg_opening, 0, 1},
};

/* Points without structure: images of the maps, multiples of the generators. */
static void fill(void)
{
    static const u8 g2[128] = {
        0x19, 0x8e, 0x93, 0x93, 0x92, 0x0d, 0x48, 0x3a, 0x72, 0x60, 0xbf, 0xb7, 0x31, 0xfb, 0x5d,
        0x25, 0xf1, 0xaa, 0x49, 0x33, 0x35, 0xa9, 0xe7, 0x12, 0x97, 0xe4, 0x85, 0xb7, 0xae, 0xf3,
        0x12, 0xc2, 0x18, 0x00, 0xde, 0xef, 0x12, 0x1f, 0x1e, 0x76, 0x42, 0x6a, 0x00, 0x66, 0x5e,
        0x5c, 0x44, 0x79, 0x67, 0x43, 0x22, 0xd4, 0xf7, 0x5e, 0xda, 0xdd, 0x46, 0xde, 0xbd, 0x5c,
        0xd9, 0x92, 0xf6, 0xed, 0x09, 0x06, 0x89, 0xd0, 0x58, 0x5f, 0xf0, 0x75, 0xec, 0x9e, 0x99,
        0xad, 0x69, 0x0c, 0x33, 0x95, 0xbc, 0x4b, 0x31, 0x33, 0x70, 0xb3, 0x8e, 0xf3, 0x55, 0xac,
        0xda, 0xdc, 0xd1, 0x22, 0x97, 0x5b, 0x12, 0xc8, 0x5e, 0xa5, 0xdb, 0x8c, 0x6d, 0xeb, 0x4a,
        0xab, 0x71, 0x80, 0x8d, 0xcb, 0x40, 0x8f, 0xe3, 0xd1, 0xe7, 0x69, 0x0c, 0x43, 0xd3, 0x7b,
        0x4c, 0xe6, 0xcc, 0x01, 0x66, 0xfa, 0x7d, 0xaa};
    u64 seed = 1;
    u8 generator[64] = {0}, scalar[32], fp[64] = {0}, fp2[128] = {0};
    kl_arena_init(&at.arena, 1 << 24);
    kl_rand_fill(&seed, at.bytes, sizeof at.bytes);
    at.bytes[0] |= 0x80;
    for (usize len = 32; len <= 1024; len *= 2)
        at.bytes[len - 1] |= 1;
    kl_rand_fill(&seed, at.key.b, 32);
    at.key.b[0] = 0x12;
    generator[31] = 1;
    generator[63] = 2;
    bool ok = true;
    for (usize i = 0; i < 16; i++) {
        kl_rand_fill(&seed, scalar, 32);
        ok = ok && kl_bn254_mul_var(at.bn_pairs + 192 * i, generator, scalar);
        memcpy(at.bn_pairs + 192 * i + 64, g2, 128);
    }
    for (usize i = 0; i < 128; i++) {
        kl_rand_fill(&seed, fp + 32, 32);
        kl_rand_fill(&seed, fp2 + 96, 32);
        ok = ok && kl_bls12_map_fp_to_g1(at.g1_pairs + 160 * i, fp);
        ok = ok && kl_bls12_map_fp2_to_g2(at.g2_pairs + 288 * i, fp2);
        kl_rand_fill(&seed, at.g1_pairs + 160 * i + 128, 32);
        kl_rand_fill(&seed, at.g2_pairs + 288 * i + 256, 32);
        if (i < 16) {
            memcpy(at.bls_pairs + 384 * i, at.g1_pairs + 160 * i, 128);
            memcpy(at.bls_pairs + 384 * i + 128, at.g2_pairs + 288 * i, 256);
        }
    }
    KL_ASSERT(ok);
}

static double time_us(usize i, usize runs)
{
    double start = now_us();
    for (usize k = 0; k < runs; k++)
        row[i].run(row[i].n);
    return now_us() - start;
}

int main(void)
{
    fill();
    printf("keccak in lanes: %s\n", kl_keccak_lanes());
    for (usize i = 0; i < KL_COUNT_OF(row); i++) {
        usize runs = 1;
        while (time_us(i, runs) < 20000)
            runs *= 2;
        double best = time_us(i, runs);
        for (int again = 0; again < 4; again++) {
            double spent = time_us(i, runs);
            best = KL_MIN(best, spent);
        }
        printf("%-36s %12.3f\n", row[i].name, best / (double)(runs * row[i].each));
    }
    kl_arena_done(&at.arena);
    return 0;
}
