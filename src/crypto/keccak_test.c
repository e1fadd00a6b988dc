#include "base/test.h"
#include "crypto/keccak_priv.h"

/* Keccak by the book [FIPS 202 sections 3.2 and 4]: step mappings on a 5 x 5 array of lanes, the
 * rotations and round constants computed, the message padded as a whole. */
static u64 slow_rol(u64 v, unsigned n)
{
    return n % 64 ? v << n % 64 | v >> (64 - n % 64) : v;
}

static bool slow_rc_bit(unsigned t)
{
    unsigned r = 1;
    for (unsigned i = 0; i < t % 255; i++)
        r = r & 0x80 ? (r << 1 ^ 0x171) & 0xff : r << 1;
    return r & 1;
}

static void slow_round(u64 s[5][5], unsigned round)
{
    u64 c[5], b[5][5];
    for (unsigned x = 0; x < 5; x++)
        c[x] = s[x][0] ^ s[x][1] ^ s[x][2] ^ s[x][3] ^ s[x][4];
    for (unsigned x = 0; x < 5; x++)
        for (unsigned y = 0; y < 5; y++)
            s[x][y] ^= c[(x + 4) % 5] ^ slow_rol(c[(x + 1) % 5], 1);
    b[0][0] = s[0][0];
    for (unsigned t = 0, x = 1, y = 0; t < 24; t++) {
        unsigned z = (2 * x + 3 * y) % 5;
        b[y][z] = slow_rol(s[x][y], (t + 1) * (t + 2) / 2);
        x = y;
        y = z;
    }
    for (unsigned x = 0; x < 5; x++)
        for (unsigned y = 0; y < 5; y++)
            s[x][y] = b[x][y] ^ (~b[(x + 1) % 5][y] & b[(x + 2) % 5][y]);
    for (unsigned j = 0; j <= 6; j++)
        s[0][0] ^= (u64)slow_rc_bit(j + 7 * round) << ((1u << j) - 1);
}

static kl_hash slow_keccak(kl_span bytes)
{
    static u8 padded[4096];
    u64 s[5][5] = {{0}};
    usize len = (bytes.len / KECCAK_RATE + 1) * KECCAK_RATE;
    KL_ASSERT(len <= sizeof padded);
    memset(padded, 0, len);
    if (bytes.len)
        memcpy(padded, bytes.p, bytes.len);
    padded[bytes.len] ^= 0x01;
    padded[len - 1] ^= 0x80;
    for (usize at = 0; at < len; at += KECCAK_RATE) {
        for (unsigned i = 0; i < KECCAK_RATE / 8; i++)
            s[i % 5][i / 5] ^= kl_load_le64(padded + at + 8 * i);
        for (unsigned round = 0; round < 24; round++)
            slow_round(s, round);
    }
    kl_hash hash;
    for (unsigned i = 0; i < 4; i++)
        kl_store_le64(hash.b + 8 * i, s[i][0]);
    return hash;
}

KL_TEST(keccak_known_answers)
{
    static const struct {
        const char *text, *hash;
    } row[] = {
        {"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"},
        {"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"},
        {"testing", "5f16f4c7f149ac4f9510d9cf8cf384038ad348b3bcdc01915f95de12df9d1b02"},
        {"Transfer(address,address,uint256)",
         "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"},
    };
    for (usize i = 0; i < KL_COUNT_OF(row); i++) {
        kl_hash hash = kl_keccak256(kl_span_str(row[i].text));
        CHECK_HEX(kl_hash_span(&hash), row[i].hash);
    }
}

KL_TEST(keccak_constants_are_the_hashes_they_name)
{
    kl_hash empty = kl_keccak256(KL_SPAN_NONE), rlp = kl_keccak256(KL_SPAN_TEXT("\x80"));
    kl_hash list = kl_keccak256(KL_SPAN_TEXT("\xc0"));
    CHECK(kl_hash_eq(&empty, &kl_keccak_empty));
    CHECK(kl_hash_eq(&rlp, &kl_keccak_empty_rlp));
    CHECK(kl_hash_eq(&list, &kl_keccak_empty_list));
}

KL_TEST(keccak_matches_the_book_at_every_length)
{
    u8 bytes[1100];
    kl_rand_fill(seed, bytes, sizeof bytes);
    for (usize len = 0; len <= sizeof bytes; len++) {
        kl_span s = kl_span_of(bytes + sizeof bytes - len, len);
        kl_hash got = kl_keccak256(s), want = slow_keccak(s);
        CHECK_SPAN(kl_hash_span(&got), kl_hash_span(&want));
    }
}

KL_TEST(keccak_permutation_is_the_same_in_every_spelling)
{
    for (int i = 0; i < 100; i++) {
        u64 a[25], b[25];
        kl_rand_fill(seed, a, sizeof a);
        memcpy(b, a, sizeof b);
        kl_keccak_f(a);
        kl_keccak_f_portable(b);
        CHECK_SPAN(KL_SPAN_OF(a), KL_SPAN_OF(b));
    }
}

KL_TEST(keccak_in_pieces_is_keccak_of_the_whole)
{
    u8 bytes[1100];
    kl_rand_fill(seed, bytes, sizeof bytes);
    for (int i = 0; i < 500; i++) {
        usize len = kl_rand_below(seed, sizeof bytes + 1), step = 1 + kl_rand_below(seed, 300);
        kl_span s = kl_span_of(bytes, len);
        kl_keccak k;
        kl_keccak_init(&k);
        for (usize at = 0; at < len;) {
            usize n = kl_rand_below(seed, step + 1);
            kl_keccak_add(&k, kl_span_sub(s, at, n));
            at += n;
        }
        kl_hash want = kl_keccak256(s), got = kl_keccak_done(&k);
        CHECK_SPAN(kl_hash_span(&got), kl_hash_span(&want));
    }
}

enum { MESSAGES = 40, ROOM = 1100 };

/* Hashes count messages with every unit of this machine and with the public function. */
static void check_batch(const kl_span *in, usize count)
{
    kl_hash want[MESSAGES], got[MESSAGES + 1];
    const kl_keccak_unit *unit[4];
    usize units = kl_keccak_units(unit, KL_COUNT_OF(unit));
    for (usize i = 0; i < count; i++)
        want[i] = kl_keccak256(in[i]);
    for (usize u = 0; u <= units; u++) {
        memset(got, 0xee, sizeof got);
        if (u < units)
            kl_keccak_batch_on(unit[u], got, in, count);
        else
            kl_keccak256_batch(got, in, count);
        CHECK_SPAN(kl_span_of(got, count * 32), kl_span_of(want, count * 32));
        CHECK(got[count].b[0] == 0xee); /* nothing is written past the end */
    }
}

KL_TEST(keccak_batch_matches_single_at_every_length_and_count)
{
    static u8 bytes[MESSAGES][ROOM];
    kl_rand_fill(seed, bytes, sizeof bytes);
    for (usize len = 0; len <= ROOM; len++) {
        kl_span in[MESSAGES];
        usize count = kl_rand_below(seed, 20);
        for (usize i = 0; i < count; i++)
            in[i] = kl_span_of(bytes[i] + ROOM - len, len);
        check_batch(in, count);
    }
    for (usize count = 0; count <= MESSAGES; count++) {
        kl_span in[MESSAGES];
        for (usize i = 0; i < count; i++)
            in[i] = kl_span_of(bytes[i], 532);
        check_batch(in, count);
    }
}

KL_TEST(keccak_batch_matches_single_on_mixed_lengths)
{
    static u8 bytes[MESSAGES][ROOM];
    kl_rand_fill(seed, bytes, sizeof bytes);
    for (int round = 0; round < 1000; round++) {
        kl_span in[MESSAGES];
        usize count = kl_rand_below(seed, MESSAGES + 1), most = 1 + kl_rand_below(seed, ROOM);
        for (usize i = 0; i < count; i++) {
            usize len = kl_rand_below(seed, most + 1);
            in[i] = kl_span_of(bytes[i] + ROOM - len, len);
        }
        check_batch(in, count);
    }
}

KL_TEST(keccak_lanes_names_the_best_unit)
{
    const kl_keccak_unit *unit[4];
    usize units = kl_keccak_units(unit, KL_COUNT_OF(unit));
    CHECK(strcmp(kl_keccak_lanes(), units ? unit[0]->name : "portable") == 0);
    for (usize u = 0; u < units; u++)
        CHECK(unit[u]->lanes >= 2 && unit[u]->lanes <= KECCAK_LANES_MAX);
}
