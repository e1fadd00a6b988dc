#include "crypto/digest.h"

#include "base/test.h"
#include "crypto/vectors_test_priv.h"

static u8 million_a[1000000];

/* [FIPS 180-4 examples; the RIPEMD-160 paper, appendix B] */
KL_TEST(sha256_and_ripemd160_known_answers)
{
    memset(million_a, 'a', sizeof million_a);
    const struct {
        kl_span bytes;
        const char *sha256, *ripemd160;
    } row[] = {
        {KL_SPAN_NONE, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
         "9c1185a5c5e9fc54612808977ee8f548b2258d31"},
        {KL_SPAN_TEXT("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
         "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"},
        {KL_SPAN_TEXT("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
         "12a053384a9c0c88e405a06c27dcf49ada62eb2b"},
        {KL_SPAN_OF(million_a), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
         "52783243c1697bdbe16d37f97f68f08325dc1528"},
    };
    for (usize i = 0; i < KL_COUNT_OF(row); i++) {
        u8 sha[32], ripemd[20];
        kl_sha256(sha, row[i].bytes);
        kl_ripemd160(ripemd, row[i].bytes);
        CHECK_HEX(KL_SPAN_OF(sha), row[i].sha256);
        CHECK_HEX(KL_SPAN_OF(ripemd), row[i].ripemd160);
    }
}

KL_TEST(sha256_precompile_vectors)
{
    struct kl_vector v;
    for (kl_vectors_open("PrecompileTests/nimbus/sha256.json"); kl_vectors_next(&v);) {
        u8 out[32];
        kl_sha256(out, v.input);
        CHECK_SPAN(KL_SPAN_OF(out), v.expected);
    }
}

KL_TEST(ripemd160_precompile_vectors)
{
    struct kl_vector v;
    for (kl_vectors_open("PrecompileTests/nimbus/ripemd160.json"); kl_vectors_next(&v);) {
        u8 out[32] = {0};
        kl_ripemd160(out + 12, v.input);
        CHECK_SPAN(KL_SPAN_OF(out), v.expected);
    }
}

/* The precompile's input [EIP-152]: rounds, h, m, t0, t1, last. */
static void blake2f(u8 out[64], kl_span input)
{
    u64 h[8], m[16];
    CHECK_U64(input.len, 213);
    for (unsigned i = 0; i < 8; i++)
        h[i] = kl_load_le64(input.p + 4 + 8 * i);
    for (unsigned i = 0; i < 16; i++)
        m[i] = kl_load_le64(input.p + 68 + 8 * i);
    kl_blake2b_f(h, m, kl_load_le64(input.p + 196), kl_load_le64(input.p + 204), input.p[212] == 1,
                 kl_load_be32(input.p));
    for (unsigned i = 0; i < 8; i++)
        kl_store_le64(out + 8 * i, h[i]);
}

KL_TEST(blake2b_f_precompile_vectors)
{
    struct kl_vector v;
    for (kl_vectors_open("PrecompileTests/geth/blake2F.json"); kl_vectors_next(&v);) {
        u8 out[64];
        blake2f(out, v.input);
        CHECK_SPAN(KL_SPAN_OF(out), v.expected);
    }
}

/* F makes the whole hash: BLAKE2b-512 of "abc" is one last block [RFC 7693 appendix A]. */
KL_TEST(blake2b_f_of_abc)
{
    u64 h[8] = {0x6a09e667f2bdc948, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
                0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};
    u64 m[16] = {0x636261};
    kl_blake2b_f(h, m, 3, 0, true, 12);
    CHECK_HEX(KL_SPAN_OF(h), "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
                             "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923");
}

static const u8 slow_sigma[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
    {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
    {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
    {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
    {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

static u64 slow_ror(u64 v, unsigned n)
{
    return v >> n | v << (64 - n);
}

static void slow_f(u64 h[8], const u64 m[16], u64 t0, u64 t1, bool last, u32 rounds)
{
    static const u64 iv[8] = {0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b,
                              0xa54ff53a5f1d36f1, 0x510e527fade682d1, 0x9b05688c2b3e6c1f,
                              0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};
    u64 v[16];
    memcpy(v, h, 64);
    memcpy(v + 8, iv, 64);
    v[12] ^= t0;
    v[13] ^= t1;
    v[14] ^= last ? UINT64_MAX : 0;
    for (u32 r = 0; r < rounds; r++) {
        for (unsigned g = 0; g < 8; g++) {
            unsigned turn = g / 4, a = g % 4, b = 4 + (g + turn) % 4, c = 8 + (g + 2 * turn) % 4,
                     d = 12 + (g + 3 * turn) % 4;
            v[a] += v[b] + m[slow_sigma[r % 10][2 * g]];
            v[d] = slow_ror(v[d] ^ v[a], 32);
            v[c] += v[d];
            v[b] = slow_ror(v[b] ^ v[c], 24);
            v[a] += v[b] + m[slow_sigma[r % 10][2 * g + 1]];
            v[d] = slow_ror(v[d] ^ v[a], 16);
            v[c] += v[d];
            v[b] = slow_ror(v[b] ^ v[c], 63);
        }
    }
    for (unsigned i = 0; i < 8; i++)
        h[i] ^= v[i] ^ v[i + 8];
}

KL_TEST(blake2b_f_matches_the_book_at_every_number_of_rounds)
{
    for (u32 rounds = 0; rounds < 300; rounds++) {
        u64 got[8], want[8], m[16], t[2];
        kl_rand_fill(seed, got, sizeof got);
        kl_rand_fill(seed, m, sizeof m);
        kl_rand_fill(seed, t, sizeof t);
        memcpy(want, got, sizeof want);
        bool last = kl_rand(seed) & 1;
        kl_blake2b_f(got, m, t[0], t[1], last, rounds);
        slow_f(want, m, t[0], t[1], last, rounds);
        CHECK_SPAN(KL_SPAN_OF(got), KL_SPAN_OF(want));
    }
}

/* [FIPS 180-4 examples] */
KL_TEST(sha1_known_answers)
{
    memset(million_a, 'a', sizeof million_a);
    const struct {
        kl_span bytes;
        const char *sha1;
    } row[] = {
        {KL_SPAN_NONE, "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
        {KL_SPAN_TEXT("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d"},
        {KL_SPAN_OF(million_a), "34aa973cd4c4daa4f61eeb2bdbad27316534016f"},
    };
    for (usize i = 0; i < KL_COUNT_OF(row); i++) {
        u8 sha[20];
        kl_sha1(sha, row[i].bytes);
        CHECK_HEX(KL_SPAN_OF(sha), row[i].sha1);
    }
}
