/* A mnemonic spells entropy followed by a checksum, 11 bits a word; the checksum is one bit for
 * every 32 of entropy, the first bits of its SHA-256. */
#include "wallet/mnemonic.h"

#include "crypto/digest.h"
#include "crypto/kdf.h"
#include "crypto/secp256k1.h"

enum { WORDS_MAX = 24, BITS_PER_WORD = 11, ROUNDS = 2048 };

static const char *const english[] = {
#include "wallet/bip39_english.def"
};

_Static_assert(KL_COUNT_OF(english) == 1u << BITS_PER_WORD, "the list has a word for every index");

/* The index of word in the sorted list, or -1. */
static int word_index(kl_span word)
{
    usize low = 0, high = KL_COUNT_OF(english);
    while (low < high) {
        usize middle = (low + high) / 2;
        int order = kl_span_cmp(word, kl_span_str(english[middle]));
        if (order == 0)
            return (int)middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}

static void put_bits(u8 *bits, usize at, unsigned value)
{
    for (usize i = 0; i < BITS_PER_WORD; i++)
        if (value >> (BITS_PER_WORD - 1 - i) & 1)
            bits[(at + i) / 8] |= (u8)(0x80 >> (at + i) % 8);
}

bool kl_mnemonic_valid(kl_span words)
{
    u8 bits[(WORDS_MAX * BITS_PER_WORD + 7) / 8] = {0};
    usize count = 0;
    for (usize start = 0; start <= words.len; count++) {
        usize end = start;
        while (end < words.len && words.p[end] != ' ')
            end++;
        int index = word_index(kl_span_of(words.p + start, end - start));
        if (index < 0 || count == WORDS_MAX)
            return false;
        put_bits(bits, count * BITS_PER_WORD, (unsigned)index);
        start = end + 1;
    }
    if (count < 12 || count % 3 != 0)
        return false;
    usize check_bits = count / 3, entropy_len = check_bits * 4;
    u8 digest[32];
    kl_sha256(digest, kl_span_of(bits, entropy_len));
    u8 mask = (u8)(0xff00 >> check_bits);
    bool good = (bits[entropy_len] & mask) == (digest[0] & mask);
    kl_wipe(bits, sizeof bits);
    kl_wipe(digest, sizeof digest);
    return good;
}

void kl_mnemonic_seed(u8 seed[KL_SEED_LEN], kl_span words, kl_span passphrase)
{
    KL_ASSERT(passphrase.len <= KL_PASSPHRASE_MAX);
    u8 salt[8 + KL_PASSPHRASE_MAX];
    memcpy(salt, "mnemonic", 8);
    if (passphrase.len)
        memcpy(salt + 8, passphrase.p, passphrase.len);
    kl_pbkdf2_hmac_sha512(seed, KL_SEED_LEN, words, kl_span_of(salt, 8 + passphrase.len), ROUNDS);
    kl_wipe(salt, sizeof salt);
}

bool kl_hd_master(kl_hd_key *out, const u8 seed[KL_SEED_LEN])
{
    u8 digest[64];
    kl_hmac_sha512(digest, KL_SPAN_TEXT("Bitcoin seed"), kl_span_of(seed, KL_SEED_LEN));
    memcpy(out->key.b, digest, 32);
    memcpy(out->chain_code, digest + 32, 32);
    kl_wipe(digest, sizeof digest);
    kl_pubkey unused;
    return kl_secp256k1_pubkey(&unused, &out->key);
}

bool kl_hd_child(kl_hd_key *out, const kl_hd_key *parent, u32 index)
{
    u8 data[37] = {0}, digest[64];
    kl_pubkey pubkey;
    if (!kl_secp256k1_pubkey(&pubkey, &parent->key))
        return false;
    if (index >= KL_HD_HARDENED)
        memcpy(data + 1, parent->key.b, 32);
    else
        kl_secp256k1_compress(data, &pubkey);
    kl_store_be32(data + 33, index);
    kl_hmac_sha512(digest, kl_span_of(parent->chain_code, 32), kl_span_of(data, sizeof data));
    kl_secret32 key = parent->key;
    bool good = kl_secp256k1_tweak_add(&key, digest);
    if (good) {
        out->key = key;
        memcpy(out->chain_code, digest + 32, 32);
    }
    kl_wipe(&key, sizeof key);
    kl_wipe(data, sizeof data);
    kl_wipe(digest, sizeof digest);
    return good;
}
